import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { readLog } from '../../local/write-ahead-log.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { deleteBlob, openUpload, pullBlob, pushBlob, pushImage } from './client.ts';
import { canInject, failSyncs } from './injected-faults.ts';

async function start(data: string): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

describe.runIf(canInject)("a sync of SQLite's log that fails (needs root on Linux, and strace)", () => {
  it('changes nothing later: what was refused is not there after a kill', async () => {
    const data = await scratch();
    const registry = await start(data);
    const { digest } = await pushBlob(registry.url, 'a');
    const recover = await failSyncs(registry.pid, join(data, 'registry.sqlite-wal'), 'first');
    expect((await deleteBlob(registry.url, 'a', digest)).status).toBeGreaterThanOrEqual(500);
    await recover();
    expect(await pullBlob(registry.url, 'a', digest)).toBeInstanceOf(Buffer);
    await registry.stop('SIGKILL');
    const again = await start(data);
    expect(await pullBlob(again.url, 'a', digest)).toBeInstanceOf(Buffer);
  });

  it('is no damage: what was refused leaves nothing in the log, and what is acknowledged afterwards stays', async () => {
    const folder = await scratch();
    const path = join(folder, 'registry.sqlite');
    const table = new SqliteTable(path);
    onTestFinished(() => table.close());
    const write = (sort: string, length: number) =>
      table.write([{ put: { partition: 'p', sort }, attributes: { text: 'x'.repeat(length) } }]);
    await write('before', 10);
    for (const [sort, length] of [['long', 100_000] as const, ['shorter', 20_000] as const]) {
      const recover = await failSyncs(process.pid, `${path}-wal`, 'first');
      await expect(write(sort, length)).rejects.toThrow('disk I/O error');
      await recover();
    }
    await write('after', 10);
    expect(readLog(`${path}-wal`)).toBe('whole');
    for (const end of ['', '-wal']) copyFileSync(path + end, join(folder, `killed.sqlite${end}`));
    const killed = new SqliteTable(join(folder, 'killed.sqlite'));
    onTestFinished(() => killed.close());
    const found = await killed.query({ partition: 'p', limit: 10 });
    expect(found.map(({ key }) => key.sort)).toEqual(['after', 'before']);
  });

  it('ends the registry where nobody can be sure of what was written, and the next start goes on', async () => {
    const data = await scratch();
    const registry = await start(data);
    const { digest, status } = await pushImage(registry.url, 'a', 'tag');
    expect(status).toBe(201);
    await failSyncs(registry.pid, join(data, 'registry.sqlite-wal'), 'all');
    await expect(openUpload(registry.url, 'a')).rejects.toThrow();
    expect(await registry.exited()).toBe(1);
    expect(registry.errors).toContain('cannot be taken back');
    expect(registry.errors).toContain('docs/runbook.md#the-disk-fails');
    const again = await start(data);
    expect((await fetch(`${again.url}/v2/a/manifests/${digest}`)).status).toBe(200);
    expect((await openUpload(again.url, 'a')).status).toBe(202);
  });
});
