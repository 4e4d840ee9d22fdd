import {
  type CfnDistribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionRuntime,
  type KeyValueStore,
} from 'aws-cdk-lib/aws-cloudfront';
import { Construct } from 'constructs';
import { type EdgeEvent, edgeCode } from './edge-code.ts';

interface EdgeFunctionsProps {
  /** Where the function that sees each request finds the keys and the settings. */
  readonly store: KeyValueStore;
}

type Association = CfnDistribution.FunctionAssociationProperty;

/** The two CloudFront Functions of `edge/`. */
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

  #make(eventType: EdgeEvent, keyValueStore?: KeyValueStore): Association {
    const { functionArn } = new EdgeFunction(this, eventType, {
      code: FunctionCode.fromInline(edgeCode(eventType)),
      runtime: FunctionRuntime.JS_2_0,
      comment: `Stowage: ${eventType}`,
      ...(keyValueStore && { keyValueStore }),
    });
    return { eventType, functionArn };
  }
}
