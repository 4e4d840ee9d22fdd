import { Stack, Validations } from 'aws-cdk-lib';
import {
  CachePolicy,
  CfnDistribution,
  CfnResponseHeadersPolicy,
  type KeyValueStore,
  OriginRequestPolicy,
  S3OriginAccessControl,
  Signing,
} from 'aws-cdk-lib/aws-cloudfront';
import { Construct } from 'constructs';
import { ANSWER_HEADERS, FRONT_HEADERS, ORIGINS } from '../functions/environment.ts';
import type { BlobBucket } from './blob-bucket.ts';
import type { CdnDownloads } from './cdn-downloads.ts';
import type { CustomDomain } from './custom-domain.ts';
import { EdgeFunctions } from './edge-functions.ts';
import { globalName } from './global-name.ts';
import type { RegistryApi } from './registry-api.ts';
import type { StreamHost } from './stream-host.ts';

/** Which of CloudFront's places answer: the cheapest, all but the dearest, or all. */
export type PriceClass = '100' | '200' | 'all';

interface FrontDoorProps {
  readonly api: RegistryApi;
  /** What has to work before the front door leads anybody to it, or is changed. */
  readonly behind: readonly Construct[];
  readonly bucket: BlobBucket;
  /** Filled before the front door opens. */
  readonly store: KeyValueStore;
  /** What the front door proves itself with to the API and the stream host. */
  readonly secret: string;
  /** Takes bodies of unknown or great length. @default - they are refused */
  readonly stream?: StreamHost;
  /** The way of downloads that do not come from S3 itself. */
  readonly downloads: CdnDownloads;
  /** @default - a name that CloudFront makes up */
  readonly domain?: CustomDomain;
  /** A web ACL of AWS WAF for CloudFront. @default - none */
  readonly webAclArn?: string;
  readonly priceClass: PriceClass;
  /** Whether the registry has its web page, whose assets are remembered. */
  readonly page: boolean;
}

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE'];

/** The longest that CloudFront waits for an answer, once a body has been sent, without a quota being raised: S3 and
 *  the stream host take a while to acknowledge gigabytes. */
const ANSWER_SECONDS = 120;

/** The gateway itself gives up after 30 s, and then says so. */
const API_ANSWER_SECONDS = 35;

/** A stream host that sleeps says nothing, and whoever comes too late for it is to know soon, and begin anew. */
const DARK_SECONDS = 5;

/** Shorter than the Node host keeps an idle connection (75 s), so that CloudFront closes first. */
const KEEP_ALIVE_SECONDS = 60;

/** All that CloudFront would remember. A blob that was missing a second ago may be there now. */
const ERRORS = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

/** The CloudFront distribution that clients talk to: one host name, and an edge function that chooses for each
 *  request between the API, the bucket and the stream host. Nothing is cached but blobs under signed URLs. */
export class FrontDoor extends Construct {
  readonly #distribution: CfnDistribution;

  constructor(scope: Construct, id: string, props: FrontDoorProps) {
    super(scope, id);
    const functions = new EdgeFunctions(this, 'Functions', {
      store: props.store,
      streamHost: props.stream?.sleeps ? 'wake' : props.stream !== undefined,
    });
    const { attrId: answers } = this.#answerHeaders();
    this.#distribution = new CfnDistribution(this, 'Distribution', {
      distributionConfig: {
        enabled: true,
        comment: `${Stack.of(this).stackName}: Stowage, a container registry`,
        httpVersion: 'http2and3',
        ipv6Enabled: true,
        priceClass: props.priceClass === 'all' ? 'PriceClass_All' : `PriceClass_${props.priceClass}`,
        origins: this.#origins(props),
        defaultCacheBehavior: { ...defaultBehavior(functions), responseHeadersPolicyId: answers },
        cacheBehaviors: [
          props.downloads.behavior(functions.response),
          ...(props.page ? [assetsBehavior(functions)] : []),
        ].map((one) => ({ ...one, responseHeadersPolicyId: answers })),
        customErrorResponses: ERRORS.map((errorCode) => ({ errorCode, errorCachingMinTtl: 0 })),
        viewerCertificate: { cloudFrontDefaultCertificate: true },
        ...props.domain?.settings,
        ...(props.webAclArn && { webAclId: props.webAclArn }),
      },
    });
    // A new secret is let in before CloudFront sends it.
    this.#distribution.node.addDependency(...props.behind);
    props.bucket.letIn(this.#arn);
    props.domain?.pointTo(this.#distribution.attrDomainName);
    this.#explain(props);
  }

  /** CloudFront's own name for it, to which a custom domain points. */
  get domainName(): string {
    return this.#distribution.attrDomainName;
  }

  get #arn(): string {
    const { partition, account } = Stack.of(this);
    return `arn:${partition}:cloudfront::${account}:distribution/${this.#distribution.attrId}`;
  }

  #origins({ api, bucket, stream, secret }: FrontDoorProps): CfnDistribution.OriginProperty[] {
    const originCustomHeaders = [{ headerName: FRONT_HEADERS.secret, headerValue: secret }];
    // Signs always: whatever a client sends as Authorization is the registry's business, never S3's.
    const access = new S3OriginAccessControl(this, 'Access', {
      originAccessControlName: globalName(this),
      signing: Signing.SIGV4_ALWAYS,
    });
    const origins: CfnDistribution.OriginProperty[] = [
      {
        id: ORIGINS.api,
        domainName: api.domainName,
        originCustomHeaders,
        customOriginConfig: {
          originProtocolPolicy: 'https-only',
          originSslProtocols: ['TLSv1.2'],
          originReadTimeout: API_ANSWER_SECONDS,
          originKeepaliveTimeout: KEEP_ALIVE_SECONDS,
        },
      },
      {
        id: ORIGINS.blobs,
        domainName: bucket.regionalDomainName,
        originAccessControlId: access.originAccessControlId,
        s3OriginConfig: { originAccessIdentity: '', originReadTimeout: ANSWER_SECONDS },
      },
    ];
    if (!stream) return origins;
    const vpcOriginConfig = {
      vpcOriginId: stream.vpcOriginId,
      originReadTimeout: ANSWER_SECONDS,
      originKeepaliveTimeout: KEEP_ALIVE_SECONDS,
    };
    const dark = stream.sleeps && { connectionAttempts: 1, connectionTimeout: DARK_SECONDS };
    const origin = { domainName: stream.privateName, originCustomHeaders, vpcOriginConfig, ...dark };
    return [...origins, { id: ORIGINS.stream, ...origin }];
  }

  /** Puts on the answers of the gateway and of S3 what the registry puts on its own. */
  #answerHeaders(): CfnResponseHeadersPolicy {
    return new CfnResponseHeadersPolicy(this, 'Answers', {
      responseHeadersPolicyConfig: {
        name: globalName(this),
        comment: 'Stowage: what every answer carries',
        securityHeadersConfig: {
          contentTypeOptions: { override: true },
          contentSecurityPolicy: {
            contentSecurityPolicy: ANSWER_HEADERS['Content-Security-Policy'],
            override: false, // the web page has one of its own, and S3 has none
          },
        },
      },
    });
  }

  #explain({ webAclArn, domain }: FrontDoorProps): void {
    const findings = {
      CFR1: 'Who may pull is decided by logins, not by countries.',
      CFR3: 'The registry logs each request; logs of CloudFront would store and bill the same once more.',
      ...(!webAclArn && { CFR2: '`webAclArn` attaches one; at $6 a month or more it is not for everybody.' }),
      ...(!domain && {
        CFR4: "CloudFront's own certificate comes with its own minimum; `domainName` brings TLS 1.2 or newer.",
      }),
    };
    const acknowledged = Object.entries(findings).map(([id, reason]) => ({
      id: `AwsSolutions-${id}`,
      reason,
    }));
    Validations.of(this.#distribution).acknowledge(...acknowledged);
  }
}

/** The files of the web page, whose names change with their content. They lie beside the function's code, and it is asked for each once. */
function assetsBehavior(functions: EdgeFunctions): CfnDistribution.CacheBehaviorProperty {
  const methods = ['GET', 'HEAD'];
  return {
    pathPattern: '/assets/*',
    targetOriginId: ORIGINS.api,
    viewerProtocolPolicy: 'https-only',
    allowedMethods: methods,
    cachedMethods: methods,
    cachePolicyId: CachePolicy.CACHING_OPTIMIZED.cachePolicyId,
    compress: true,
    functionAssociations: [functions.request, functions.response],
  };
}

/** Where every request arrives. The function may send it to another origin; nothing of it is remembered. */
function defaultBehavior(functions: EdgeFunctions): CfnDistribution.DefaultCacheBehaviorProperty {
  return {
    targetOriginId: ORIGINS.api,
    viewerProtocolPolicy: 'https-only', // a redirect would come after the password was sent in the clear
    allowedMethods: METHODS,
    cachedMethods: ['GET', 'HEAD'],
    cachePolicyId: CachePolicy.CACHING_DISABLED.cachePolicyId,
    // The gateway and S3 know their own names only; the client's Host goes along in a header of ours.
    originRequestPolicyId: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER.originRequestPolicyId,
    compress: false, // clients rely on Content-Length, and on bytes that hash to their digest
    functionAssociations: [functions.request, functions.response],
  };
}
