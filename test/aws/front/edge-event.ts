/** A value of CloudFront's event; a name that occurs more than once has all its values in `multiValue`. */
export interface EdgeValue {
  value: string;
  multiValue?: { value: string }[];
}

/** A header or a parameter by its name; of headers in lower case, of parameters as the client wrote it. */
export type EdgeValues = Record<string, EdgeValue>;

/** A request as CloudFront shows it to a function: path and parameters as the client wrote them, not decoded. */
export interface EdgeRequest {
  method: string;
  uri: string;
  querystring: EdgeValues;
  headers: EdgeValues;
  cookies: EdgeValues;
}

/** A response as CloudFront shows it to a function, or as a function makes it. */
export interface EdgeResponse {
  statusCode: number;
  statusDescription?: string;
  headers: EdgeValues;
  cookies?: EdgeValues;
  /** Only of a response that a function made. */
  body?: { encoding: 'text' | 'base64'; data: string };
}
