import { createHash } from 'node:crypto';
import {
  type CfnDistribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionRuntime,
  type KeyValueStore,
} from 'aws-cdk-lib/aws-cloudfront';
import { Construct } from 'constructs';
import { type EdgeEvent, type EdgeSettings, edgeCode } from './edge-code.ts';

interface EdgeFunctionsProps extends EdgeSettings {
  /** Where the function that sees each request finds the keys and the settings. */
  readonly store: KeyValueStore;
}

type Association = CfnDistribution.FunctionAssociationProperty;

/** The two CloudFront Functions of `edge/`. Other code is another function, which the distribution takes up together with the
 *  origins and behaviours that the code counts on: a function that is changed in place changes at once, minutes before these. */
export class EdgeFunctions extends Construct {
  /** Sees each request before anything else does, and chooses its origin. */
  readonly request: Association;
  /** Sees each answer that is not an error. */
  readonly response: Association;

  constructor(scope: Construct, id: string, { store, ...settings }: EdgeFunctionsProps) {
    super(scope, id);
    this.request = this.#make('viewer-request', settings, store);
    this.response = this.#make('viewer-response', settings);
  }

  #make(eventType: EdgeEvent, settings: EdgeSettings, keyValueStore?: KeyValueStore): Association {
    const code = edgeCode(eventType, settings);
    const hash = createHash('sha256').update(code).digest('hex').slice(0, 8);
    const { functionArn } = new EdgeFunction(this, `${eventType}-${hash}`, {
      code: FunctionCode.fromInline(code),
      runtime: FunctionRuntime.JS_2_0,
      comment: `Stowage: ${eventType}`,
      ...(keyValueStore && { keyValueStore }),
    });
    return { eventType, functionArn };
  }
}
