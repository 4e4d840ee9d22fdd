import { writeSync } from 'node:fs';

// A new process does what Lambda's runtime does before a first answer: it imports the bundle and calls `handler`.
// Arguments: path of the bundle, event as JSON. Says on descriptor 3 when it got where, by the machine's clock.

const MARKS = 3;
const context = { awsRequestId: 'cold-start', getRemainingTimeInMillis: () => 30_000 };

const began = process.hrtime.bigint();
const [bundle, event] = process.argv.slice(2);
const { handler } = await import(bundle);
const imported = process.hrtime.bigint();
const { statusCode } = await handler(JSON.parse(event), context);
const answered = process.hrtime.bigint();
writeSync(
  MARKS,
  JSON.stringify({ began: `${began}`, imported: `${imported}`, answered: `${answered}`, statusCode }),
);
process.exit(0); // the SDK keeps its connections, and they the process
