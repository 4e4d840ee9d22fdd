import { Duration } from 'aws-cdk-lib';
import {
  CfnCachePolicy,
  type CfnDistribution,
  CfnPublicKey,
  KeyGroup,
  PublicKey,
} from 'aws-cdk-lib/aws-cloudfront';
import { Construct } from 'constructs';
import { ENV, ORIGINS } from '../functions/environment.ts';
import type { FrontKeys } from './front-keys.ts';
import { globalName } from './global-name.ts';
import type { Worker } from './registry-function.ts';

interface CdnDownloadsProps {
  readonly keys: FrontKeys;
}

/** Objects are never written twice. */
const AS_LONG_AS_MAY_BE = Duration.days(365).toSeconds();

/** Downloads through the front door, by URLs that the registry signs and CloudFront checks. The way is always there, and takes
 *  minutes to be; whether the registry sends anybody along it can change at any time. */
export class CdnDownloads extends Construct {
  readonly #publicKeyId: string;
  readonly #group: KeyGroup;
  readonly #cachePolicy: CfnCachePolicy;
  readonly #keys: FrontKeys;

  constructor(scope: Construct, id: string, { keys }: CdnDownloadsProps) {
    super(scope, id);
    this.#keys = keys;
    this.#publicKeyId = this.#publicKey();
    this.#group = new KeyGroup(this, 'KeyGroup', {
      keyGroupName: globalName(this),
      items: [PublicKey.fromPublicKeyId(this, 'Trusted', this.#publicKeyId)],
      comment: COMMENT,
    });
    this.#cachePolicy = this.#pathAlone();
  }

  /** Lets the worker read the key that downloads are signed with, and tells it whether to send clients here. */
  bind(worker: Worker<'serve'>, downloads: 's3' | 'cdn'): void {
    this.#keys.bindDownloadKey(worker);
    worker.tell(ENV.downloads, downloads);
    worker.tell(ENV.downloadKeyId, this.#publicKeyId);
  }

  /** The front door's way to blobs, which needs a signed URL. */
  behavior(onResponse: CfnDistribution.FunctionAssociationProperty): CfnDistribution.CacheBehaviorProperty {
    const methods = ['GET', 'HEAD'];
    return {
      pathPattern: '/blobs/*',
      targetOriginId: ORIGINS.blobs,
      viewerProtocolPolicy: 'https-only',
      allowedMethods: methods,
      cachedMethods: methods,
      cachePolicyId: this.#cachePolicy.attrId,
      compress: false, // a blob is its bytes, and its digest is of these
      trustedKeyGroups: [this.#group.keyGroupId],
      functionAssociations: [onResponse],
    };
  }

  /** CloudFront changes no key and takes no CallerReference twice, in whichever region the stack is: a rotation has another one. */
  #publicKey(): string {
    const id = `PublicKey${this.#keys.downloadRotation}`;
    const scope = new Construct(this, id);
    const key = new CfnPublicKey(scope, 'Key', {
      publicKeyConfig: {
        name: globalName(scope),
        callerReference: globalName(scope),
        encodedKey: this.#keys.publicKey,
        comment: COMMENT,
      },
    });
    return key.ref;
  }

  /** Every client's signature differs, and all of them mean the same bytes. */
  #pathAlone(): CfnCachePolicy {
    return new CfnCachePolicy(this, 'CachePolicy', {
      cachePolicyConfig: {
        name: globalName(this),
        comment: 'Stowage: blobs, by their path alone',
        minTtl: 0,
        defaultTtl: AS_LONG_AS_MAY_BE,
        maxTtl: AS_LONG_AS_MAY_BE,
        parametersInCacheKeyAndForwardedToOrigin: {
          cookiesConfig: { cookieBehavior: 'none' },
          headersConfig: { headerBehavior: 'none' },
          queryStringsConfig: { queryStringBehavior: 'none' },
          enableAcceptEncodingGzip: false,
        },
      },
    });
  }
}

const COMMENT = 'Stowage: downloads';
