import { startGateway } from '../../../test/aws/gateway/gateway.ts';

// The API function behind an HTTP API, in a process of its own, on the port that is its argument and with the stores
// that its environment names.

const [port = '0'] = process.argv.slice(2);
process.stdout.write = () => true; // a line for each request, which CloudWatch would take
const { handler } = await import('../../../functions/api.ts');
await startGateway({ port: Number(port), handler });
