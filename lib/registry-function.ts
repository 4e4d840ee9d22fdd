import { fileURLToPath } from 'node:url';
import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat, SourceMapMode } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/** What a function is for; table and bucket grant by it. */
export type Duty = 'serve' | 'expire';

interface RegistryFunctionProps {
  /** Decides what the function may do. */
  readonly duty: Duty;
  /** Path of the Lambda entry point, from the root of the project; it exports `handler`. */
  readonly entry: string;
  readonly description: string;
  readonly memoryMegabytes: number;
  readonly timeout: Duration;
  /** @default RetentionDays.ONE_MONTH - long enough to look into what a user tells weeks later */
  readonly logRetention?: RetentionDays;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A Lambda function of the registry with a role and a log group of its own. The role may write that log and
 *  nothing else, until `bind` of the table or the bucket allows more. */
export class RegistryFunction extends Construct {
  readonly duty: Duty;
  readonly handler: NodejsFunction;
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, props: RegistryFunctionProps) {
    super(scope, id);
    this.duty = props.duty;
    this.logs = new LogGroup(this, 'Logs', {
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY, // a log of a registry that is gone helps nobody
    });
    // Not the role NodejsFunction would make: its managed policy lets it write every log of the account.
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.logs.grantWrite(role);
    this.handler = new NodejsFunction(this, 'Handler', {
      ...runtime(props.entry),
      description: props.description,
      memorySize: props.memoryMegabytes,
      timeout: props.timeout,
      role,
      logGroup: this.logs,
    });
  }
}

/** The code and what runs it. Bundled by the esbuild of package.json, so that no Docker is needed. */
function runtime(entry: string) {
  return {
    entry: `${ROOT}${entry}`,
    projectRoot: ROOT,
    depsLockFilePath: `${ROOT}package-lock.json`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64, // a fifth cheaper than x86, and not slower
    awsSdkConnectionReuse: false, // the variable of SDK 2; connections of SDK 3 are kept anyway
    bundling: {
      format: OutputFormat.ESM,
      mainFields: ['module', 'main'],
      target: 'node24',
      minify: true,
      keepNames: true, // errors are told apart by name, and stack traces can be read
      sourceMap: true,
      sourceMapMode: SourceMapMode.EXTERNAL, // at hand for people, never loaded: parsing it slows a cold start
      bundleAwsSDK: true, // the version that was tested, not the one the runtime has this month
    },
  };
}
