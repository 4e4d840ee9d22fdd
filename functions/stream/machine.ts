/** What a cloud says of an instance; `unknown` where it does not answer. */
export type MachineState = 'pending' | 'running' | 'stopping' | 'stopped' | 'gone' | 'unknown';

/** `later`: it may be started in some seconds, and not now. `refused`: not without somebody's doing. */
export type Started = { readonly is: 'asked' } | { readonly is: 'later' | 'refused'; readonly why: string };

/** The instance that the stream host runs on. None of these waits until it is done, and each may be repeated. */
export interface Machine {
  start(): Promise<Started>;
  state(): Promise<MachineState>;
  stop(): Promise<void>;
  reboot(): Promise<void>;
}
