/** What a manifest is to the one that it is about. */
export type ReferrerKind = 'signature' | 'attestation' | 'sbom' | 'provenance' | 'scan' | 'vex' | 'other';

/** Beginnings of artifact types, and of predicate types, in the order in which they are looked for. */
const KINDS: readonly (readonly [RegExp, ReferrerKind])[] = [
  [/cyclonedx.*vex|openvex/i, 'vex'],
  [/cosign.*vuln|sarif|vulnerab/i, 'scan'],
  [/cyclonedx|spdx|syft|sbom/i, 'sbom'],
  [/slsa|provenance/i, 'provenance'],
  [/notary\.signature|cosign.*(?:sig|simplesigning)|simplesigning/i, 'signature'],
];

/** Cosign's bundle, and in-toto statements: a predicate says what they are. */
const BUNDLE = 'application/vnd.dev.sigstore.bundle';
const IN_TOTO = 'application/vnd.in-toto';
const PREDICATES = ['dev.sigstore.bundle.predicateType', 'in-toto.io/predicate-type', 'predicateType'];

/** What a referrer is, by its type and annotations. That it is there says nothing of whether it is good. */
export function referrerKindOf({
  artifactType = '',
  annotations = {},
}: {
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}): ReferrerKind {
  const predicate = PREDICATES.map((name) => annotations[name]).find((text) => text) ?? '';
  const isBundle = artifactType.startsWith(BUNDLE);
  if (isBundle && (predicate === '' || predicate.includes('cosign/sign'))) return 'signature';
  const isStatement = isBundle || artifactType.startsWith(IN_TOTO);
  const said = isStatement ? predicate : artifactType;
  const kind = KINDS.find(([pattern]) => pattern.test(said))?.[1];
  return kind ?? (isStatement ? 'attestation' : 'other');
}
