import { Duration } from 'aws-cdk-lib';
import { CfnCachePolicy, type CfnDistribution, KeyGroup, PublicKey } from 'aws-cdk-lib/aws-cloudfront';
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

/** Downloads through the front door, by URLs that the registry signs and CloudFront checks. */
export class CdnDownloads extends Construct {
  readonly #publicKey: PublicKey;
  readonly #group: KeyGroup;
  readonly #cachePolicy: CfnCachePolicy;
  readonly #keys: FrontKeys;

  constructor(scope: Construct, id: string, { keys }: CdnDownloadsProps) {
    super(scope, id);
    this.#keys = keys;
    const comment = 'Stowage: downloads';
    this.#publicKey = new PublicKey(this, 'PublicKey', {
      publicKeyName: globalName(this),
      encodedKey: keys.publicKey,
      comment,
    });
    this.#group = new KeyGroup(this, 'KeyGroup', {
      keyGroupName: globalName(this),
      items: [this.#publicKey],
      comment,
    });
    this.#cachePolicy = this.#pathAlone();
  }

  /** Has the worker sign its redirects for CloudFront, and lets it read the key for that. */
  bind(worker: Worker<'serve'>): void {
    this.#keys.bindDownloadKey(worker);
    worker.tell(ENV.downloads, 'cdn');
    worker.tell(ENV.downloadKeyId, this.#publicKey.publicKeyId);
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
