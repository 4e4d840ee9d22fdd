import type { Command } from 'commander';
import type { Grant, Group } from '../../api/types.ts';
import { pathOf } from '../api.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, timeText } from '../text.ts';
import { grantsText, grantValue, many } from '../values.ts';

export function addGroupCommands(program: Command): void {
  const group = program.command('group').description('grants that many users have together');
  group.command('list').description('list all groups').action(onRegistry(listGroups));
  group
    .command('create <name>')
    .description('make a group')
    .option('--description <text>', 'what it is for')
    .option(
      '--grant <pattern:actions>',
      "what members may do, such as 'team-a/*:pull' (repeatable)",
      many(grantValue),
    )
    .action(onRegistry(createGroup));
  group.command('show <name>').description('show a group and its members').action(onRegistry(showGroup));
  group.command('delete <name>').description('delete a group').action(onRegistry(deleteGroup));
  group.command('add <group> <user>').description('make a user a member').action(onRegistry(addMember));
  group.command('remove <group> <user>').description('end a membership').action(onRegistry(removeMember));
}

async function listGroups({ api, output }: Session): Promise<void> {
  const { entries } = await api.list<Group>('/groups', 'groups');
  output.list('groups', entries, {
    NAME: ({ name }) => name,
    GRANTS: ({ grants }) => grantsText(grants),
    DESCRIPTION: ({ description }) => description,
  });
}

interface CreateOptions {
  readonly description?: string;
  readonly grant?: readonly Grant[];
}

async function createGroup({ api, output }: Session, name: string, options: CreateOptions): Promise<void> {
  const { description, grant: grants = [] } = options;
  output.done(await api.post('/groups', { name, description, grants }), `made group ${name}`);
}

async function showGroup({ api, output }: Session, name: string): Promise<void> {
  const group = await api.get<Group>(pathOf`/groups/${name}`);
  output.result(group, () =>
    facts([
      ['name', group.name],
      ['description', group.description],
      ['grants', grantsText(group.grants)],
      ['members', (group.members ?? []).join(' ')],
      ['created', `${timeText(group.createdAt)} by ${group.createdBy}`],
    ]),
  );
}

async function deleteGroup({ api, output }: Session, name: string): Promise<void> {
  await api.delete(pathOf`/groups/${name}`);
  output.say(`deleted group ${name}`);
}

async function addMember({ api, output }: Session, group: string, user: string): Promise<void> {
  await api.put(pathOf`/groups/${group}/members/${user}`);
  output.say(`${user} is a member of ${group}`);
}

async function removeMember({ api, output }: Session, group: string, user: string): Promise<void> {
  await api.delete(pathOf`/groups/${group}/members/${user}`);
  output.say(`${user} is no member of ${group}`);
}
