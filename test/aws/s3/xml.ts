import { malformedXml } from './s3-error.ts';

/** What an element holds: text, or children by name; a list repeats the element, undefined leaves it out. */
type Content = string | number | boolean | undefined | Fields | readonly Content[];
export interface Fields {
  readonly [name: string]: Content;
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** An answer of S3. */
export function document(name: string, fields: Fields): string {
  return `${DECLARATION}<${name} xmlns="${NAMESPACE}">${children(fields)}</${name}>`;
}

/** An error of S3; alone among its answers it has no namespace. */
export function errorDocument(fields: Fields): string {
  return `${DECLARATION}<Error>${children(fields)}</Error>`;
}

function children(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, content]) => element(name, content))
    .join('');
}

function element(name: string, content: Content): string {
  if (content === undefined) return '';
  if (isList(content)) return content.map((each) => element(name, each)).join('');
  const inner = typeof content === 'object' ? children(content) : escapeText(String(content));
  return `<${name}>${inner}</${name}>`;
}

const isList = (content: Content): content is readonly Content[] => Array.isArray(content);

/** Escapes what is markup, and the control characters that a parser would take for line breaks. */
function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}

export interface Element {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

/** Elements and text of a request body, without attributes; anything else is MalformedXML. */
export function parseXml(source: string): Element {
  const root: Element = { name: '', children: [], text: '' };
  const open: Element[] = [root];
  for (const token of source.replace(/^\uFEFF?\s*<\?xml[^>]*\?>/, '').match(/<[^>]*>?|[^<]+/g) ?? []) {
    take(open, token);
  }
  const [document, ...more] = root.children;
  if (open.length !== 1 || !document || more.length > 0 || root.text.trim() !== '') throw malformedXml();
  return document;
}

function take(open: Element[], token: string): void {
  const current = open.at(-1);
  if (!current) throw malformedXml();
  if (!token.startsWith('<')) {
    current.text += unescapeText(token);
    return;
  }
  const [, closing, name = '', empty] = /^<(\/?)([\w:.-]+)(?:\s[^>]*?)?(\/?)>$/.exec(token) ?? malformed();
  if (closing) {
    if (current.name !== name) throw malformedXml();
    open.pop();
    return;
  }
  const child: Element = { name, children: [], text: '' };
  current.children.push(child);
  if (!empty) open.push(child);
}

function malformed(): never {
  throw malformedXml();
}

function unescapeText(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|\w+);/gi, (_, entity: string) => {
    if (!entity.startsWith('#')) return ENTITIES[entity] ?? malformed();
    return String.fromCodePoint(Number(entity.replace('#', entity[1] === 'x' ? '0' : '')));
  });
}

/** The text of a child, or undefined without it. */
export function childText(parent: Element, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text.trim();
}
