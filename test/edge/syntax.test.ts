import { parseSync, visitorKeys } from 'oxc-parser';
import { describe, expect, it } from 'vitest';
import { edgeCode, edgeCodeOf } from '../../lib/edge-code.ts';

// CloudFront's runtime knows ES 5.1 and a few things of later versions; Node runs all of them.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

/** What the page lists, by the names of the ESTree. */
const KNOWN = new Set([
  // ES 5.1
  ...['Program', 'EmptyStatement', 'ExpressionStatement', 'BlockStatement', 'IfStatement', 'SwitchStatement'],
  ...['SwitchCase', 'ReturnStatement', 'ThrowStatement', 'TryStatement', 'CatchClause', 'WhileStatement'],
  ...['DoWhileStatement', 'ForStatement', 'ForInStatement', 'BreakStatement', 'ContinueStatement'],
  ...['LabeledStatement', 'VariableDeclaration', 'VariableDeclarator', 'FunctionDeclaration', 'Identifier'],
  ...['FunctionExpression', 'ThisExpression', 'ArrayExpression', 'ObjectExpression', 'Property', 'Literal'],
  ...['UnaryExpression', 'UpdateExpression', 'BinaryExpression', 'LogicalExpression', 'AssignmentExpression'],
  ...['ConditionalExpression', 'CallExpression', 'NewExpression', 'MemberExpression', 'SequenceExpression'],
  ...['ParenthesizedExpression'],
  // later
  ...['ArrowFunctionExpression', 'TemplateLiteral', 'TemplateElement', 'AwaitExpression', 'RestElement'],
  ...['ImportDeclaration', 'ImportDefaultSpecifier'],
]);

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

/** Where a node of a known kind is used in a way that the page does not list. */
const UNKNOWN_USES: Readonly<Record<string, (node: Node) => boolean>> = {
  Property: ({ shorthand, computed, method, kind }) =>
    shorthand === true || computed === true || method === true || kind !== 'init',
  CatchClause: ({ param }) => param === null,
  FunctionDeclaration: ({ generator }) => generator === true,
  FunctionExpression: ({ generator, async }) => generator === true || async === true,
  ArrowFunctionExpression: ({ async }) => async === true,
  LogicalExpression: ({ operator }) => operator === '??',
  AssignmentExpression: ({ operator }) => ['&&=', '||=', '??='].includes(`${operator}`),
  CallExpression: (node) => node['optional'] === true || argumentsOf(node).some(awaits),
  NewExpression: (node) => argumentsOf(node).some(awaits),
  MemberExpression: ({ optional }) => optional === true,
  Literal: ({ bigint, regex }) => typeof bigint === 'string' || !isKnownRegex(regex),
};

function isKnownRegex(regex: unknown): boolean {
  const { pattern, flags } = (regex ?? { pattern: '', flags: '' }) as { pattern: string; flags: string };
  return /^[gim]*$/.test(flags) && !/\(\?<[=!]|\\[pP]\{/.test(pattern);
}

const argumentsOf = (node: Node) => node['arguments'] as readonly Node[];

/** The page says that await is not for arguments. */
const awaits = (node: Node): boolean => node.type === 'AwaitExpression' || childrenOf(node).some(awaits);

function childrenOf(node: Node): readonly Node[] {
  return (visitorKeys[node.type] ?? []).flatMap((key) => {
    const child = node[key] as Node | readonly (Node | null)[] | null | undefined;
    return [child].flat().filter((one): one is Node => one !== null && one !== undefined);
  });
}

/** What of the code the runtime does not know. */
function strange(code: string): readonly string[] {
  const { program, errors } = parseSync('function.js', code, { sourceType: 'module' });
  const found = errors.map(({ message }) => message);
  const visit = (node: Node): void => {
    if (!KNOWN.has(node.type) || UNKNOWN_USES[node.type]?.(node)) {
      found.push(`${node.type}: ${code.slice(node.start, node.start + 60)}`);
    }
    childrenOf(node).forEach(visit);
  };
  visit(program as unknown as Node);
  return found;
}

/** Ours, a quarter below what CloudFront takes: the next feature needs room. */
const ROOMY_BYTES = 7500;

describe.each(['viewer-request', 'viewer-response'] as const)('%s, as it is deployed,', (event) => {
  const code = edgeCode(event);

  it('uses only what the runtime knows', () => {
    expect(strange(code)).toEqual([]);
  });

  it('is well below 10,000 bytes', () => {
    expect(Buffer.byteLength(code)).toBeLessThan(ROOMY_BYTES);
  });

  it('begins with its imports, in the words that CloudFront knows, and names its handler', () => {
    const imports = "import cf from 'cloudfront';\nimport crypto from 'crypto';\n";
    expect(code.startsWith(event === 'viewer-request' ? imports : 'async function handler(')).toBe(true);
    expect(code).toContain('async function handler(');
  });

  it('has neither comments nor lines', () => {
    expect(code).not.toMatch(/\/\*\*|\/\/ /);
    expect(code.trimEnd().split('\n').length).toBeLessThan(4);
  });
});

it('code that is too large is not built', () => {
  const large = `function handler() { return '${'x'.repeat(10_000)}'; }`;
  expect(() => edgeCodeOf(large)).toThrow(/over 10000/);
});

it.each([
  'const { a } = b;',
  'const [a] = b;',
  'function a({ b }) {}',
  'a(...b);',
  'const a = { ...b };',
  'const a = [...b];',
  'for (const a of b) c(a);',
  'const a = b?.c;',
  'b?.();',
  'const a = b ?? c;',
  'a ||= b;',
  'class A {}',
  'function a(b = 1) {}',
  'const a = { b };',
  'const a = { [b]: 1 };',
  'const a = { b() {} };',
  'const a = { get b() { return 1; } };',
  'function* a() {}',
  'const a = async () => 1;',
  'async function a() { b(await c()); }',
  'async function a() { for await (const b of c) d(b); }',
  'try { a(); } catch { b(); }',
  'const a = 1n;',
  'const a = /(?<=b)c/;',
  'const a = /b/s;',
  'import { a } from "crypto";',
  'import("crypto");',
  'export const a = 1;',
])('%s is more than the runtime knows', (code) => {
  expect(strange(code)).not.toEqual([]);
});

it.each([
  'const a = (b) => b ** 2;',
  `const a = \`\${b} c\`;`,
  'async function a() { const b = await c(); return await d(b); }',
  'function a(...b) { return b[0]; }',
  'try { a(); } catch (b) { c(); } finally { d(); }',
  'const a = { b: c, "d": function () { return /(?<e>f)/gi; } };',
])('%s is what the runtime knows', (code) => {
  expect(strange(code)).toEqual([]);
});
