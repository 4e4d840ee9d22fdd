import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage, type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct, type IConstruct } from 'constructs';
import { buildSync } from 'esbuild';
import { PAGE_FOLDER } from '../functions/environment.ts';
import { builtPage } from '../ui/build.ts';
import { FUNCTION_BUNDLING } from './bundle.ts';

/** What something that runs is for; table, bucket and keys grant by it. */
export type Duty = DataDuty | 'rotate' | 'make-front-keys';

/** Duties that concern images. `stream` serves too, as a host that reaches nothing but table and bucket. */
export type DataDuty = 'serve' | 'stream' | 'commit' | 'sweep' | 'expire';

/** Something that runs, and that table, bucket and keys let do its duty. */
export interface Worker<D extends Duty = Duty> extends IConstruct {
  readonly duty: D;
  /** Adds to what it may do, which is nothing before. */
  allow(statement: PolicyStatement): void;
  /** Sets a variable of its environment. */
  tell(name: string, value: string): void;
}

interface RegistryFunctionProps<D extends Duty> {
  /** Decides what the function may do. */
  readonly duty: D;
  /** Path of the Lambda entry point, from the root of the project; it exports `handler`. */
  readonly entry: string;
  /** Whether the files of the web page lie beside its code. @default false */
  readonly page?: boolean;
  readonly description: string;
  readonly memoryMegabytes: number;
  readonly timeout: Duration;
  /** @default RetentionDays.ONE_MONTH - long enough to look into what a user tells weeks later */
  readonly logRetention?: RetentionDays;
}

/** Named only because the CDK asks for one; nothing is bundled in Docker. */
const NO_IMAGE = DockerImage.fromRegistry('none');

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A Lambda function of the registry with a role and a log group of its own. The role may write that log and
 *  nothing else, until `bind` of the table, the bucket or the keys allows more. */
export class RegistryFunction<D extends Duty = Duty> extends Construct implements Worker<D> {
  readonly duty: D;
  readonly handler: LambdaFunction;
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, props: RegistryFunctionProps<D>) {
    super(scope, id);
    this.duty = props.duty;
    this.logs = new LogGroup(this, 'Logs', {
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY, // a log of a registry that is gone helps nobody
    });
    // Not the role Function would make: its managed policy lets it write every log of the account.
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.logs.grantWrite(role);
    this.handler = new LambdaFunction(this, 'Handler', {
      ...runtime(props.entry, props.page ?? false),
      description: props.description,
      memorySize: props.memoryMegabytes,
      timeout: props.timeout,
      role,
      logGroup: this.logs,
    });
  }

  allow(statement: PolicyStatement): void {
    this.handler.addToRolePolicy(statement);
  }

  tell(name: string, value: string): void {
    this.handler.addEnvironment(name, value);
  }
}

/** The code and what runs it. */
function runtime(entry: string, page: boolean) {
  return {
    code: Code.fromAsset(ROOT, {
      assetHashType: AssetHashType.OUTPUT,
      bundling: {
        image: NO_IMAGE,
        command: [entry, page ? 'page' : ''], // never run: it tells the CDK that two entries are two bundles
        local: { tryBundle: (directory) => bundle(entry, directory, page) },
      },
    }),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64, // a fifth cheaper than x86, and not slower
  };
}

function bundle(entry: string, outdir: string, page: boolean): boolean {
  buildSync({ ...FUNCTION_BUNDLING, absWorkingDir: ROOT, entryPoints: { index: entry }, outdir });
  if (page) cpSync(builtPage(), join(outdir, PAGE_FOLDER), { recursive: true });
  return true;
}
