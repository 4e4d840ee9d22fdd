interface BannerFacts {
  readonly url: string;
  /** Where its data is. */
  readonly place: string;
  readonly open: boolean;
  /** Whether it has a web page. */
  readonly page: boolean;
  /** Of the first admin, where it was just made: this is the only time it can be read. */
  readonly password: string | undefined;
}

/** What a person sees who starts the registry. */
export function banner({ url, place, open, page, password }: BannerFacts): string {
  const { host } = new URL(url);
  const admin =
    password === undefined
      ? ''
      : `
  Its first admin is "admin", with this password, which is shown once and kept nowhere:

    ${password}
`;
  const login = open ? '' : `\n    docker login ${host}`;
  const access = open ? '\n  It is open: whoever can connect may do everything.\n' : '';
  const browser = page ? `\n  Open ${url} in a browser.\n` : '';
  return `
  Stowage is at ${url}, its data in ${place}
${access}${browser}${admin}
  Push a first image:
${login}
    docker pull alpine
    docker tag alpine ${host}/alpine
    docker push ${host}/alpine

`;
}
