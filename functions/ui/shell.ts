/** What the page is made of, as `ui/build.ts` notes it: names in the folder of assets. */
export interface PageManifest {
  readonly script: string;
  readonly style: string;
  readonly icon: string;
}

/** The addresses that the page has. What follows `/r/` is a repository or an image, which the page reads itself. */
const PAGES = /^\/(?:|login|me|r\/.+)$/;

/** Where its assets are; each name has a hash of the content, and each content one name. */
export const ASSETS = '/assets/';

/** Scripts, styles and answers of this registry alone; no markup that a script makes of text, no frame, no form elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export const SHELL_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': POLICY,
  'Cache-Control': 'no-store', // it names the assets of this version
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'same-origin',
  Vary: 'Accept',
} as const;

/** Whether a browser asks for the page: clients of registries, and `curl`, do not say that they read HTML. */
export function isPage({ method, headers }: Request, path: string): boolean {
  const reads = method === 'GET' || method === 'HEAD';
  return reads && PAGES.test(path) && (headers.get('accept') ?? '').includes('text/html');
}

/** The same for every page: the script reads the address. */
export function shellOf({ script, style, icon }: PageManifest): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Stowage</title>
<link rel="icon" type="image/svg+xml" href="${ASSETS}${icon}">
<link rel="stylesheet" href="${ASSETS}${style}">
<script type="module" src="${ASSETS}${script}"></script>
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript. The command line "stowage" does all that it does.</noscript>
</body>
</html>
`;
}
