import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import {
  CfnIntegration,
  HttpApi,
  HttpStage,
  LogGroupLogDestination,
  PayloadFormatVersion,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { CHALLENGE_HEADER } from '../functions/environment.ts';
import type { RegistryFunction } from './registry-function.ts';

interface RegistryApiProps {
  /** Answers every request. */
  readonly api: RegistryFunction;
  /** Requests a second, above which clients are told 429 and wait.
   *  @default 500 - some 35 pulls a second, and a flood costs about $4 an hour at most */
  readonly requestsPerSecond?: number;
  /** Requests that may come at once. @default 1000 - as many executions as Lambda grants an account */
  readonly burst?: number;
  /** Whether the gateway logs requests too. @default false - the function logs each one already, and a log
   *  line twice costs twice; of use where requests seem not to reach the function */
  readonly accessLogs?: boolean;
}

/** The HTTP API in front of the function: all methods and paths, payload 2.0, nothing cached or changed. */
export class RegistryApi extends Construct {
  readonly #api: HttpApi;

  constructor(scope: Construct, id: string, props: RegistryApiProps) {
    super(scope, id);
    const { handler } = props.api;
    const integration = new HttpLambdaIntegration('Function', handler, {
      payloadFormatVersion: PayloadFormatVersion.VERSION_2_0,
    });
    this.#api = new HttpApi(this, 'Api', {
      apiName: Stack.of(this).stackName,
      description: 'Stowage, a container registry',
      // `$default`: a greedy `/v2/{proxy+}` would only add a parameter that nobody reads.
      defaultIntegration: integration,
      createDefaultStage: false, // it could not be throttled
    });
    this.#keepChallenge();
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.#api,
      autoDeploy: true,
      throttle: { rateLimit: props.requestsPerSecond ?? 500, burstLimit: props.burst ?? 1000 },
      ...(props.accessLogs && { accessLogSettings: { destination: this.#logDestination() } }),
    });
    Validations.of(this.#api).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason: 'The registry itself knows who may do what: clients bring tokens that it has signed.',
    });
    Validations.of(stage).acknowledge({
      id: 'AwsSolutions-APIG1',
      reason: 'The function logs each request; `accessLogs` has the gateway log them too.',
    });
  }

  /** Its host. Anybody can reach it; only the front door is let in. */
  get domainName(): string {
    const { region, urlSuffix } = Stack.of(this);
    return `${this.#api.apiId}.execute-api.${region}.${urlSuffix}`;
  }

  /** Requests answered with a 5xx, by the function or by the gateway. */
  serverErrors(): Metric {
    return this.#api.metricServerError();
  }

  /** Reports disagree on whether an HTTP API renames WWW-Authenticate; without it no client can log in. A parameter
   *  mapping may set it, from a header that nobody renames. */
  #keepChallenge(): void {
    for (const resource of this.#api.node.findAll()) {
      if (!(resource instanceof CfnIntegration)) continue;
      resource.responseParameters = {
        '401': {
          ResponseParameters: [
            {
              Destination: 'overwrite:header.www-authenticate',
              Source: `$response.header.${CHALLENGE_HEADER}`,
            },
          ],
        },
      };
    }
  }

  #logDestination(): LogGroupLogDestination {
    const retention = RetentionDays.ONE_MONTH;
    return new LogGroupLogDestination(
      new LogGroup(this, 'AccessLogs', { retention, removalPolicy: RemovalPolicy.DESTROY }),
    );
  }
}
