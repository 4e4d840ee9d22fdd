import { fileURLToPath } from 'node:url';
import {
  type CfnDistribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionRuntime,
  type KeyValueStore,
} from 'aws-cdk-lib/aws-cloudfront';
import { Construct } from 'constructs';

interface EdgeFunctionsProps {
  /** Where the function that sees each request finds the keys and the settings. */
  readonly store: KeyValueStore;
}

type Association = CfnDistribution.FunctionAssociationProperty;

/** The two CloudFront Functions, as they lie in `edge/`. */
export class EdgeFunctions extends Construct {
  /** Sees each request before anything else does, and chooses its origin. */
  readonly request: Association;
  /** Sees each answer that is not an error. */
  readonly response: Association;

  constructor(scope: Construct, id: string, { store }: EdgeFunctionsProps) {
    super(scope, id);
    this.request = this.#make('viewer-request', store);
    this.response = this.#make('viewer-response');
  }

  #make(eventType: string, keyValueStore?: KeyValueStore): Association {
    const filePath = fileURLToPath(new URL(`../edge/${eventType}.js`, import.meta.url));
    const { functionArn } = new EdgeFunction(this, eventType, {
      code: FunctionCode.fromFile({ filePath }),
      runtime: FunctionRuntime.JS_2_0,
      comment: `Stowage: ${eventType}`,
      ...(keyValueStore && { keyValueStore }),
    });
    return { eventType, functionArn };
  }
}
