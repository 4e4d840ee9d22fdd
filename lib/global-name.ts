import { Names, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** A name for something that CloudFront knows in all regions at once: a registry in another region has another one. */
export function globalName(construct: Construct): string {
  return `${Names.uniqueResourceName(construct, { maxLength: 40, allowedSpecialCharacters: '-' })}-${Stack.of(construct).region}`;
}
