import type { Template } from 'aws-cdk-lib/assertions';
import { vi } from 'vitest';
import { frontSecretsFor } from '../../../functions/auth/front-secrets.ts';
import type { SecretText } from '../../../functions/auth/secret-keys.ts';
import { ENV, FRONT_HEADERS, FRONT_STORE_KEY, ORIGINS } from '../../../functions/environment.ts';
import { secretHash } from '../../../functions/front-door.ts';
import { type Choice, type Step, updateOf } from '../../stack/deployment.ts';
import { type Resource, resourcesOf } from '../../stack/synthesize.ts';
import type { AwsPath } from '../aws-path.ts';
import { Counters } from './counters.ts';
import type { Origin } from './origins.ts';
import { type EdgeFunctions, loadEdgeFunctions } from './runtime.ts';
import { type Front, type FrontOptions, startFront } from './server.ts';

/** The name that CloudFront makes up. */
export const OWN_NAME = 'd111111abcdef8.cloudfront.net';

/** Of a distribution, as one location has it. */
interface Layout {
  readonly request: string;
  readonly response: string;
  readonly origins: Readonly<Record<string, Origin>>;
  readonly vpcOrigins: readonly string[];
}

type Location = { -readonly [N in keyof FrontOptions]: FrontOptions[N] };

interface Update {
  readonly from: Template;
  readonly to: Template;
  readonly choose: Choice;
  /** A resource whose change fails, a distribution half way. */
  readonly failsAt?: string | undefined;
}

/** A stack that is deployed and updated on this machine as its templates say, one resource after the other. Its distribution has several
 *  locations, which learn of a change one after another, while functions of the edge change everywhere at once. */
export class LiveStack {
  /** Names that lead to the front door. */
  readonly names = new Set([OWN_NAME]);
  readonly #path: AwsPath;
  readonly #someTime: () => Promise<void>;
  readonly #functions = new Map<string, string>();
  readonly #vpcOrigins = new Set<string>();
  readonly #loaded = new Map<string, Promise<EdgeFunctions>>();
  readonly #layouts: Layout[] = [];
  readonly #locations: Location[] = [];
  readonly #fronts: Front[] = [];
  readonly #kept: SecretText;
  #apiSettings: readonly string[] = [];
  #secrets = { secret: '', hashes: '' };

  /** `someTime` is how long a location takes to learn of a change. */
  constructor(path: AwsPath, someTime: () => Promise<void>) {
    this.#path = path;
    this.#someTime = someTime;
    let text = JSON.stringify({ secrets: [{ rotation: '', secret: path.parts.secret }] });
    this.#kept = {
      read: async () => text,
      create: async () => false,
      replace: async (next) => {
        text = next;
      },
    };
  }

  /** Any location: which one a client gets may be another with each request. */
  get url(): string {
    return this.#fronts[Math.floor(Math.random() * this.#fronts.length)]?.url ?? '';
  }

  /** Makes the stack, and opens its locations. */
  async deploy(template: Template, locations: number): Promise<void> {
    const { counters: _, ...path } = this.#path;
    for (let index = 0; index < locations; index += 1) {
      const edge: EdgeFunctions = {
        viewerRequest: async (...given) => (await this.#edge(index)).viewerRequest(...given),
        viewerResponse: async (...given) => (await this.#edge(index)).viewerResponse(...given),
      };
      this.#locations.push({ edge, origins: {}, counters: new Counters(), faults: path.faults });
    }
    for (const id of updateOf(template, template).map((step) => step.id)) await this.#change(template, id);
    for (const location of this.#locations) this.#fronts.push(await startFront(location));
  }

  /** Updates it; where a resource fails, all that was changed is changed back, and what was made goes. */
  async update({ from, to, choose, failsAt }: Update): Promise<void> {
    const steps = updateOf(from, to, choose);
    const done: Step[] = [];
    for (const step of steps) {
      if (step.id === failsAt) {
        if (resourcesOf(to).get(step.id)?.Type === 'AWS::CloudFront::Distribution')
          await this.#distribute(to, step.id, 1);
        return this.#rollBack(from, [...done, step]);
      }
      await (step.does === 'delete' ? this.#remove(from, step.id) : this.#change(to, step.id));
      done.push(step);
    }
  }

  async close(): Promise<void> {
    for (const front of this.#fronts) await front.close();
  }

  async #rollBack(from: Template, done: readonly Step[]): Promise<void> {
    const { change = [], made = [] } = Object.groupBy([...done].reverse(), ({ does }) =>
      does === 'create' ? 'made' : 'change',
    );
    for (const { id } of [...change].reverse()) await this.#change(from, id);
    for (const { id } of made) await this.#remove(from, id);
  }

  async #change(template: Template, id: string): Promise<void> {
    const { Type, Properties } = resourcesOf(template).get(id) as Resource;
    if (Type === 'AWS::CloudFront::Function') this.#functions.set(id, Properties.FunctionCode);
    else if (Type === 'AWS::CloudFront::VpcOrigin') this.#vpcOrigins.add(id);
    else if (Type === 'Custom::FrontKeys') await this.#rotate(Properties.Rotation ?? '');
    else if (Type === 'AWS::Lambda::Function' && id.startsWith('ApiHandler'))
      await this.#deployApi(Properties.Environment.Variables);
    else if (Type === 'AWS::CloudFront::Distribution')
      await this.#distribute(template, id, this.#locations.length);
    else if (Type === 'AWS::Route53::RecordSetGroup') this.names.add(Properties.RecordSets[0].Name);
  }

  /** CloudFront deletes nothing that a distribution uses; a record that goes has to be of use to nobody. */
  async #remove(template: Template, id: string): Promise<void> {
    const isUsed = this.#layouts.some((one) => [one.request, one.response, ...one.vpcOrigins].includes(id));
    if (isUsed) throw new Error(`${id} is in use`);
    this.#functions.delete(id);
    this.#vpcOrigins.delete(id);
    const resource = resourcesOf(template).get(id);
    if (resource?.Type === 'AWS::Route53::RecordSetGroup')
      this.names.delete(resource.Properties.RecordSets[0].Name);
  }

  async #rotate(rotation: string): Promise<void> {
    const { secret, accepted } = await frontSecretsFor(this.#kept, rotation);
    this.#secrets = { secret, hashes: accepted.map(secretHash).join(',') };
  }

  /** A function reads its environment when it is loaded. */
  async #deployApi(told: Readonly<Record<string, unknown>>): Promise<void> {
    const { [ENV.publicUrl]: url, [ENV.downloads]: downloads } = told;
    const settings = [url, downloads, this.#secrets.hashes].map((value) => `${value ?? ''}`);
    if (`${settings}` === `${this.#apiSettings}`) return;
    this.#apiSettings = settings;
    [process.env[ENV.publicUrl], process.env[ENV.downloads], process.env[ENV.frontSecretHash]] = settings;
    vi.resetModules();
    const { handler } = await import('../../../functions/api.ts');
    this.#path.deployApi(handler);
  }

  async #distribute(template: Template, id: string, locations: number): Promise<void> {
    const { DistributionConfig: config } = (resourcesOf(template).get(id) as Resource).Properties;
    const layout = this.#layoutOf(config);
    const downloads = config.CacheBehaviors?.length > 0 ? { downloads: this.#path.parts.downloads } : {};
    const names = [OWN_NAME, ...(config.Aliases ?? [])];
    for (const [index, location] of this.#locations.slice(0, locations).entries()) {
      if (this.#fronts.length > 0) await this.#someTime();
      this.#layouts[index] = layout;
      delete location.downloads;
      Object.assign(location, { origins: layout.origins, names, ...downloads });
    }
  }

  #layoutOf(config: Resource['Properties']): Layout {
    const secret = { [FRONT_HEADERS.secret]: this.#secrets.secret };
    const originOf = ({
      Id,
      VpcOriginConfig,
    }: {
      Id: string;
      VpcOriginConfig?: object;
    }): [string, Origin] => {
      const known = this.#path.origins[Id];
      if (!known || (VpcOriginConfig && this.#vpcOrigins.size === 0))
        throw new Error(`there is no origin ${Id}`);
      return [Id, Id === ORIGINS.api ? { ...known, customHeaders: secret } : known];
    };
    const functionOf = (event: string): string =>
      config.DefaultCacheBehavior.FunctionAssociations.find(
        (one: { EventType: string }) => one.EventType === event,
      ).FunctionARN['Fn::GetAtt'][0];
    const vpcOrigins = config.Origins.flatMap(
      (origin: Resource['Properties']) => origin.VpcOriginConfig?.VpcOriginId['Fn::GetAtt'][0] ?? [],
    );
    return {
      request: functionOf('viewer-request'),
      response: functionOf('viewer-response'),
      origins: Object.fromEntries(config.Origins.map(originOf)),
      vpcOrigins,
    };
  }

  /** As it is at this moment: a function that is changed in place is another one for every location. */
  #edge(location: number): Promise<EdgeFunctions> {
    const { request, response, origins } = this.#layouts[location] as Layout;
    const codes = [this.#functions.get(request), this.#functions.get(response)];
    const key = JSON.stringify([codes, Object.keys(origins)]);
    const code = (event: string) => codes[event === 'viewer-request' ? 0 : 1] ?? '';
    const kvs = async () => this.#path.parts.kvs.values.get(FRONT_STORE_KEY);
    const loaded = this.#loaded.get(key) ?? loadEdgeFunctions({ kvs, code, origins: Object.keys(origins) });
    this.#loaded.set(key, loaded);
    return loaded;
  }
}
