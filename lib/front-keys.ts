import { ArnFormat, CustomResource, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import { RegistryFunction, type Worker } from './registry-function.ts';

interface FrontKeysProps {
  /** Another name is another secret, and the one before is still let in. @default - the first secret */
  readonly rotation?: string;
  /** Another name is another key pair. @default - the first pair */
  readonly downloadRotation?: string;
}

/** The front door's secret and the key pair of its downloads. Neither is a resource of the stack, since CloudFormation
 *  can make no SecureString: a function makes both, once, and they outlive the stack. */
export class FrontKeys extends Construct {
  readonly function: RegistryFunction<'make-front-keys'>;
  /** The names of the two parameters. */
  readonly parameterNames: readonly string[];
  /** What tells this pair from those before; empty for the first. */
  readonly downloadRotation: string;
  readonly #resource: CustomResource;
  readonly #downloadKey: string;

  constructor(scope: Construct, id: string, { rotation, downloadRotation = '' }: FrontKeysProps = {}) {
    super(scope, id);
    this.downloadRotation = downloadRotation;
    const prefix = `/stowage/${Stack.of(this).stackName}`;
    const secret = `${prefix}/front-secret`;
    this.#downloadKey = [`${prefix}/download-key`, downloadRotation].filter(Boolean).join('-');
    this.parameterNames = [secret, this.#downloadKey];
    this.function = new RegistryFunction(this, 'Function', {
      duty: 'make-front-keys',
      entry: 'functions/front-keys.ts',
      description: 'Stowage: makes the secret of the front door and the key of its downloads, once',
      memoryMegabytes: 256,
      timeout: Duration.minutes(2),
    });
    this.function.allow(
      new PolicyStatement({
        actions: ['ssm:GetParameter', 'ssm:PutParameter'],
        resources: this.parameterNames.map((name) => this.#arnOf(name)),
      }),
    );
    this.#resource = new CustomResource(this, 'Keys', {
      serviceToken: this.function.handler.functionArn,
      resourceType: 'Custom::FrontKeys',
      serviceTimeout: Duration.minutes(5), // a function that cannot answer should not hold a deployment for an hour
      properties: {
        SecretParameter: secret,
        DownloadKeyParameter: this.#downloadKey,
        ...(rotation && { Rotation: rotation }),
      },
    });
    // Not before the function may do what it has to.
    this.#resource.node.addDependency(this.function);
  }

  /** What the front door proves itself with. */
  get secret(): string {
    return this.#resource.getAttString('Secret');
  }

  /** PEM. */
  get publicKey(): string {
    return this.#resource.getAttString('PublicKey');
  }

  /** Has the worker let in nobody but the front door. It is told hashes alone, which are of no use to whoever reads them. */
  bind(worker: Worker<'serve' | 'stream'>): void {
    // The front door learns of a new secret only minutes after the worker.
    worker.tell(ENV.frontSecretHash, this.#resource.getAttString('Accepted'));
  }

  /** Lets the worker read the private key that downloads are signed with, and tells it the parameter's name. */
  bindDownloadKey(worker: Worker<'serve'>): void {
    const resources = [this.#arnOf(this.#downloadKey)];
    worker.allow(new PolicyStatement({ actions: ['ssm:GetParameter'], resources }));
    worker.tell(ENV.downloadKey, this.#downloadKey);
  }

  #arnOf(parameterName: string): string {
    return Stack.of(this).formatArn({
      service: 'ssm',
      resource: 'parameter',
      resourceName: parameterName.slice(1),
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }
}
