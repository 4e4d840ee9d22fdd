/** A function has broken a rule of CloudFront's (502) or has failed (503); `status` is what a viewer gets then. */
export class EdgeFunctionError extends Error {
  override readonly name = 'EdgeFunctionError';
  readonly status: 502 | 503;

  constructor(status: 502 | 503, why: string, options?: ErrorOptions) {
    super(why, options);
    this.status = status;
  }
}
