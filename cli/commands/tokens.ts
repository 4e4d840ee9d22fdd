import type { Command } from 'commander';
import type { Grant, Me, Token } from '../../api/types.ts';
import { type Api, pathOf } from '../api.ts';
import { Failure } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { timeText } from '../text.ts';
import { countValue, dateValue, grantsText, grantValue, many, type Validity, validUntil } from '../values.ts';

const OF_USER = ['--user <name>', 'of this user; admins only (default: your own)'] as const;

export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('personal access tokens: passwords for programs');
  token
    .command('list')
    .description('list tokens')
    .option(...OF_USER)
    .action(onRegistry(listTokens));
  token
    .command('create <description>')
    .description('make a token and print its secret, which is shown once')
    .option(...OF_USER)
    .option(
      '--grant <pattern:actions>',
      "limit it, such as to 'team-a/*:pull' (repeatable; default: all that its user may do)",
      many(grantValue),
    )
    .option('--days <number>', 'let it end after so many days', countValue)
    .option('--until <date>', 'let it end at this time', (text) => dateValue(text))
    .action(onRegistry(createToken));
  token
    .command('revoke <id>')
    .description('void a token at once')
    .option(...OF_USER)
    .action(onRegistry(revokeToken));
}

interface UserOption {
  readonly user?: string;
}

async function ownerOf(api: Api, { user }: UserOption): Promise<string> {
  if (user !== undefined) return user;
  const me = await api.get<Me>('/me');
  if (me.user) return me.user.name;
  throw new Failure(`${me.principal} is no user and has no tokens; name one with --user`);
}

async function listTokens({ api, output }: Session, options: UserOption): Promise<void> {
  const owner = await ownerOf(api, options);
  const { tokens } = await api.get<{ tokens: Token[] }>(pathOf`/users/${owner}/tokens`);
  output.list('tokens', tokens, {
    ID: ({ id }) => id,
    DESCRIPTION: ({ description }) => description,
    GRANTS: ({ grants }) => (grants ? grantsText(grants) : 'all of its user'),
    CREATED: ({ createdAt }) => timeText(createdAt),
    'LAST USED': ({ lastUsedAt }) => timeText(lastUsedAt),
    'VALID UNTIL': ({ validUntil: end }) => timeText(end),
  });
}

interface CreateOptions extends UserOption, Validity {
  readonly grant?: readonly Grant[];
}

async function createToken(
  { api, output }: Session,
  description: string,
  options: CreateOptions,
): Promise<void> {
  const request = {
    description,
    ...(options.grant && { grants: options.grant }),
    ...validUntil(options),
  };
  const owner = await ownerOf(api, options);
  const made = await api.post<{ token: Token; secret: string }>(pathOf`/users/${owner}/tokens`, request);
  output.secret(made, made.secret, `made token ${made.token.id} of ${owner}; its secret is shown once:`);
}

async function revokeToken({ api, output }: Session, id: string, options: UserOption): Promise<void> {
  const owner = await ownerOf(api, options);
  await api.delete(pathOf`/users/${owner}/tokens/${id}`);
  output.say(`revoked token ${id} of ${owner}`);
}
