import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager';
import type { CfnDistribution } from 'aws-cdk-lib/aws-cloudfront';
import { CfnRecordSetGroup, HostedZone } from 'aws-cdk-lib/aws-route53';
import { CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';

interface CustomDomainProps {
  /** Such as `registry.example.com`. */
  readonly domainName: string;
  /** A certificate in us-east-1, as CloudFront wants it. @default - one is made, by a record in the hosted zone */
  readonly certificateArn?: string;
  /** The zone of Route 53 that gets the records. @default - whoever deploys makes them */
  readonly hostedZoneId?: string;
}

/** A host name of one's own for the front door. */
export class CustomDomain extends Construct {
  /** What the distribution has to be told. */
  readonly settings: Pick<CfnDistribution.DistributionConfigProperty, 'aliases' | 'viewerCertificate'>;
  readonly #domainName: string;
  readonly #hostedZoneId: string | undefined;

  constructor(scope: Construct, id: string, props: CustomDomainProps) {
    super(scope, id);
    this.#domainName = props.domainName;
    this.#hostedZoneId = props.hostedZoneId;
    this.settings = {
      aliases: [props.domainName],
      viewerCertificate: {
        acmCertificateArn: props.certificateArn ?? this.#certificate(),
        sslSupportMethod: 'sni-only', // the other way costs $600 a month, for clients older than any registry's
        minimumProtocolVersion: 'TLSv1.2_2021',
      },
    };
  }

  /** How clients reach the registry, without a slash at the end. */
  get url(): string {
    return `https://${this.#domainName}`;
  }

  /** Makes the records, where there is a zone to make them in. Queries of aliases are free. */
  pointTo(distribution: string): void {
    if (!this.#hostedZoneId) return;
    const aliasTarget = {
      dnsName: distribution,
      hostedZoneId: CloudFrontTarget.getHostedZoneId(this),
    };
    new CfnRecordSetGroup(this, 'Records', {
      hostedZoneId: this.#hostedZoneId,
      recordSets: ['A', 'AAAA'].map((type) => ({ name: this.#domainName, type, aliasTarget })),
    });
  }

  #certificate(): string {
    if (!this.#hostedZoneId) throw new Error('a domain needs a certificate, or a hosted zone to prove it in');
    const zone = HostedZone.fromHostedZoneId(this, 'Zone', this.#hostedZoneId);
    return new Certificate(this, 'Certificate', {
      domainName: this.#domainName,
      validation: CertificateValidation.fromDns(zone),
    }).certificateArn;
  }
}
