import type { Node } from 'constructs';
import type { StowageStackProps } from './stowage-stack.ts';

/** What whoever deploys may set, with `cdk deploy -c alarmEmail=you@example.com` or in cdk.json below `context`.
 *  Throws for a value that it would have to guess the meaning of. */
export function settingsFrom(context: Node): StowageStackProps {
  const flags = (['keepData', 'alarms', 'accessLogs'] as const).map((name) => flagFrom(context, name));
  return Object.assign({}, ...flags, emailFrom(context), publicUrlFrom(context));
}

/** The command line gives text, cdk.json may give a boolean. */
function flagFrom(context: Node, name: string): Partial<StowageStackProps> {
  const value: unknown = context.tryGetContext(name);
  if (value === undefined) return {};
  if (value === true || value === 'true') return { [name]: true };
  if (value === false || value === 'false') return { [name]: false };
  throw new Error(`${name} is true or false, not ${JSON.stringify(value)}`);
}

function emailFrom(context: Node): Partial<StowageStackProps> {
  const alarmEmail: unknown = context.tryGetContext('alarmEmail');
  if (alarmEmail === undefined) return {};
  if (typeof alarmEmail === 'string' && /^\S+@\S+$/.test(alarmEmail)) return { alarmEmail };
  throw new Error(`alarmEmail is not an address: ${JSON.stringify(alarmEmail)}`);
}

function publicUrlFrom(context: Node): Partial<StowageStackProps> {
  const value: unknown = context.tryGetContext('publicUrl');
  if (value === undefined) return {};
  const publicUrl = typeof value === 'string' && URL.canParse(value) ? new URL(value).origin : '';
  if (publicUrl.startsWith('https://') && (value === publicUrl || value === `${publicUrl}/`))
    return { publicUrl };
  throw new Error(`publicUrl is not https:// and a host: ${JSON.stringify(value)}`);
}
