import type { Grant, GrantAction } from '../../functions/identity/grants.ts';

// What the registry ought to answer, worked out from README's words alone and in another way than the registry does.

export type State = 'absent' | 'private' | 'public';
export type Kind = 'stranger' | 'user' | 'member' | 'token' | 'limited' | 'narrowed' | 'robot' | 'workload';

/** Who may use an endpoint. */
export type Rule =
  | 'anybody'
  /** With any token, an anonymous one too. */
  | 'tokenHolders'
  | 'loggedIn'
  /** A user who has logged in by password. */
  | 'passwordHolder'
  | 'puller'
  | 'pusher'
  | 'deleter'
  | 'repositoryAdmin'
  /** Of anything, however little. */
  | 'someAdmin'
  | 'registryAdmin'
  /** Who may see a repository learns of it, of a public one everybody; for others it does not exist. */
  | 'viewer'
  /** As `viewer`, with a login. */
  | 'knownViewer';

export type Verdict = 'through' | 401 | 403 | 404;

const SUFFICIENT: Readonly<
  Record<'puller' | 'pusher' | 'deleter' | 'repositoryAdmin', readonly GrantAction[]>
> = {
  puller: ['pull', 'push', 'admin'],
  pusher: ['push', 'admin'],
  deleter: ['delete', 'admin'],
  repositoryAdmin: ['admin'],
};

export interface Question {
  readonly kind: Kind;
  readonly grants: readonly Grant[];
  readonly state: State;
  readonly repository: string;
  readonly rule: Rule;
  /** Whether the endpoint hides a repository that the caller may not see behind the 404 of an absent one. */
  readonly hides: boolean;
}

export function verdictOn(question: Question): Verdict {
  if (isAllowed(question)) return 'through';
  if (question.kind === 'stranger') return 401;
  return question.hides && !sees(question) ? 404 : 403;
}

function isAllowed(question: Question): boolean {
  const { kind, rule } = question;
  if (rule === 'anybody' || rule === 'tokenHolders') return true;
  if (rule === 'loggedIn') return kind !== 'stranger';
  if (rule === 'passwordHolder') return kind === 'user' || kind === 'member';
  if (rule === 'registryAdmin') {
    return effective(question).some(({ pattern, actions }) => pattern === '*' && actions.includes('admin'));
  }
  if (rule === 'someAdmin') return effective(question).some(({ actions }) => actions.includes('admin'));
  if (rule === 'viewer') return question.state === 'public' || sees(question);
  if (rule === 'knownViewer') return sees(question);
  if (rule === 'puller' && question.state === 'public') return true;
  return has(question, SUFFICIENT[rule]);
}

const sees = (question: Question) =>
  question.kind !== 'stranger' && (question.state === 'public' || has(question, SUFFICIENT.puller));

function has(question: Question, actions: readonly GrantAction[]): boolean {
  return effective(question).some(
    (grant) =>
      covers(grant.pattern, question.repository) && actions.some((one) => grant.actions.includes(one)),
  );
}

/** A stranger has no grants; the narrowed token is good for a repository that is never asked of. */
function effective({ kind, grants }: Question): readonly Grant[] {
  return kind === 'stranger' || kind === 'narrowed' ? [] : grants;
}

function covers(pattern: string, repository: string): boolean {
  const source = [...pattern].map((one) => (one === '*' ? '.*' : one.replace(/[.]/, '\\.'))).join('');
  return new RegExp(`^${source}$`).test(repository);
}
