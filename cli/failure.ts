/** A command was refused or could not be carried out. */
const FAILED = 1;
/** The command line itself is wrong. */
export const MISUSED = 2;

/** Why a command did not do what was asked, in words for whoever typed it. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;

  constructor(message: string, exitCode = FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A failure that may be over in a moment. */
export class PassingFailure extends Failure {
  /** As the registry wishes. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, retryAfterSeconds?: number) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nobody has answered. */
export class Unreachable extends PassingFailure {}

export const misuse = (message: string) => new Failure(message, MISUSED);
