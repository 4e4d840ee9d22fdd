import { ENV, STREAM_HOST_TASK } from '../../../functions/environment.ts';
import { RECONCILE_MINUTES } from '../../../functions/stream/reconcile.ts';
import { freePort } from '../../free-port.ts';
import type { RegistryProcess } from '../../registry-process.ts';
import { lambdaContext } from '../deployment.ts';
import { Instance } from './instance.ts';
import { type Ec2Server, startEc2 } from './server.ts';

/** A stream host that sleeps, with an EC2 to wake it by. */
export interface Sleeper {
  readonly instance: Instance;
  readonly ec2: Ec2Server;
  /** Of the host, whenever it runs. */
  readonly port: number;
  /** What the schedule of the stack runs every five minutes, and this does by itself. */
  reconcile(): Promise<void>;
  stop(): Promise<void>;
}

interface SleeperOptions {
  /** From the start of the machine until the host is started on it. @default 20,000 */
  readonly bootMs?: number | undefined;
  /** Starts the host with these variables. */
  readonly run: (environment: Readonly<Record<string, string>>) => Promise<RegistryProcess>;
}

/** Such a machine takes so long to start, and to switch itself off. */
const BOOT_MS = 20_000;
const STOP_MS = 3000;

const INSTANCE_ID = 'i-0123456789abcdef0';

/** Makes one that is asleep. This process's environment, which functions are loaded in later, tells of it. */
export async function startSleeper({ bootMs = BOOT_MS, run }: SleeperOptions): Promise<Sleeper> {
  const port = await freePort();
  const start = () => run({ STOWAGE_PORT: `${port}`, [ENV.ec2Endpoint]: '' });
  const instance = new Instance({ bootMs, stopMs: STOP_MS, run: start });
  const ec2 = await startEc2(INSTANCE_ID, instance);
  process.env[ENV.streamInstance] = INSTANCE_ID;
  process.env[ENV.ec2Endpoint] = ec2.url;
  const reconcile = async () => {
    const { handler } = await import('../../../functions/expire.ts'); // reads the environment when it is loaded
    await handler(STREAM_HOST_TASK, lambdaContext() as never);
  };
  const tell = (error: unknown) => void process.stderr.write(`stowage: ${error}\n`);
  const clock = setInterval(() => void reconcile().catch(tell), RECONCILE_MINUTES * 60_000).unref();
  const stop = async () => {
    clearInterval(clock);
    await instance.off();
    await ec2.close();
  };
  return { instance, ec2, port, reconcile, stop };
}
