import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { FUNCTION_BUNDLING } from '../../lib/bundle.ts';

it('the management API and its schema library are not loaded on the path of a pull', async () => {
  const { metafile } = await build({
    ...FUNCTION_BUNDLING,
    entryPoints: ['functions/app.ts'],
    outdir: 'unused',
    write: false,
    metafile: true,
  });
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind, external } of metafile.outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && !external) load(next);
    }
  };
  const [entry = ''] = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
    entryPoint === 'functions/app.ts' ? [path] : [],
  );
  load(entry);
  const inputs = [...loaded].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
  expect(inputs).toContain('functions/handlers/manifests.ts');
  expect(inputs.filter((path) => /node_modules\/zod|functions\/management/.test(path))).toEqual([
    'functions/management/routes.ts',
  ]);
});
