import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { RequestBody } from './body.ts';
import { type Call, parseCall } from './call.ts';
import { declaredChecksum } from './checksums.ts';
import { copyObject, uploadPartCopy } from './copies.ts';
import { headBucket, listMultipartUploads, listObjects, listObjectsV2 } from './listings.ts';
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  giveUpMultipartUpload,
  listParts,
  uploadPart,
} from './multipart.ts';
import { deleteObject, deleteObjects, getObject, headObject, putObject } from './objects.ts';
import { type Context, quoted, type Reply } from './operation.ts';
import { type Access, errorFor, type Guest, requireAllowed, type Statement } from './policy.ts';
import { type Operation, operationOf } from './routing.ts';
import { conditionalRequestConflict, S3Error } from './s3-error.ts';
import { authenticate, type Credentials, type Signed } from './signature.ts';
import { Store, type StoredObject } from './store.ts';
import { errorDocument } from './xml.ts';

/** What goes wrong with one request; errors come before its effect, the lost answer after it. */
export type Fault =
  | { readonly delayMs: number }
  | { readonly status: 500; readonly code: 'InternalError' }
  | { readonly status: 503; readonly code: 'SlowDown' }
  | { readonly status: 409; readonly code: 'ConditionalRequestConflict' }
  | { readonly dropAnswer: true }
  | { readonly ignoreRange: true };

/** The ETag without quotes, the key as it is, not URL-encoded. */
export interface ObjectCreated {
  readonly reason: 'PutObject' | 'CopyObject' | 'CompleteMultipartUpload';
  readonly key: string;
  readonly size: number;
  readonly eTag: string;
  /** Of two events of one key, the later has the greater, compared as text. */
  readonly sequencer: string;
  /** The account or the service that has put it. @default the owner of the bucket */
  readonly requester?: string;
}

export interface S3ServerOptions {
  readonly directory: string;
  /** Of the owner, who may do everything that the bucket policy does not deny. */
  readonly credentials: Credentials;
  /** Who else there is. @default nobody */
  readonly guests?: readonly Guest[];
  /** The bucket policy; asked for each request, for it may change. @default none */
  readonly policy?: () => readonly Statement[];
  readonly region: string;
  readonly bucket: string;
  /** @default - a free one of the loopback address */
  readonly port?: number;
  readonly now?: () => Date;
  /** Whether an upload that is completed once more is answered as the first time, as S3 is seen to do; what it documents
   *  is NoSuchUpload. @default false */
  readonly repeatsCompletions?: boolean;
  /** Called after the answer is on its way, as S3's events are. */
  readonly onObjectCreated?: (event: ObjectCreated) => void;
  /** Asked once per request whose signature is right. */
  readonly before?: (call: {
    operation: Operation;
    key: string;
    method: string;
    presigned: boolean;
  }) => Promise<Fault | undefined>;
}

export interface S3Server {
  readonly url: string;
  /** Requests whose signature was right, in the order of their arrival. */
  readonly calls: readonly { readonly operation: Operation; readonly key: string }[];
  close(): Promise<void>;
}

const OPERATIONS: Record<Operation, (context: Context) => Promise<Reply>> = {
  HeadBucket: headBucket,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListMultipartUploads: listMultipartUploads,
  DeleteObjects: deleteObjects,
  CreateMultipartUpload: createMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  UploadPart: uploadPart,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
  PutObject: putObject,
  CopyObject: copyObject,
  UploadPartCopy: uploadPartCopy,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
};

const FAULT_ERRORS = {
  InternalError: () => new S3Error('InternalError', 'We encountered an internal error. Please try again.'),
  SlowDown: () => new S3Error('SlowDown', 'Please reduce your request rate.'),
  ConditionalRequestConflict: conditionalRequestConflict,
};

/** As long as connections of S3's clients stay idle. */
const KEEP_ALIVE_MS = 60_000;

/** An S3 of one bucket, with path-style addresses, on a directory. */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const service = new S3Service(options, await Store.open(options.directory));
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) =>
    service.accept(request, response),
  );
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    await service.close();
  };
  let closing: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls: service.calls,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

class S3Service {
  readonly calls: { operation: Operation; key: string }[] = [];
  readonly #options: S3ServerOptions;
  readonly #store: Store;
  readonly #now: () => Date;
  readonly #running = new Set<Promise<Reply>>();
  #closed = false;
  #sequence = Date.now() * 1000;

  constructor(options: S3ServerOptions, store: Store) {
    this.#options = options;
    this.#store = store;
    this.#now = options.now ?? (() => new Date());
  }

  accept(request: IncomingMessage, response: ServerResponse): void {
    // What fails here has no client any more: it is gone, or a fault has taken its connection away.
    this.#answer(request, response).catch(() => request.socket.destroy());
  }

  /** Waits for the operations that have begun; requests still held up by a fault will have no effect. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#running);
    await this.#store.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase();
    const reply = await this.#run(request).catch((error: unknown) => errorReply(error, request, id));
    await drain(request);
    if (reply === 'dropped') {
      request.socket.destroy();
      return;
    }
    await send(response, reply, id, this.#now());
  }

  async #run(request: IncomingMessage): Promise<Reply | 'dropped'> {
    const call = parseCall(request);
    const operation = operationOf(call);
    const { credentials, guests = [], region, bucket } = this.#options;
    const accepted = [credentials, ...guests.map((guest) => guest.credentials)];
    const signed = authenticate(call, { credentials: accepted, region, now: this.#now });
    const access: Access = { bucket, guests, policy: this.#options.policy?.() ?? [] };
    requireAllowed(access, signed, operation, call);
    this.calls.push({ operation, key: call.key });
    return await this.#attempt(operation, call, signed).catch((error: unknown) => {
      const isConflict = error instanceof S3Error && error.code === 'ConditionalRequestConflict';
      if (isConflict && operation === 'CompleteMultipartUpload') giveUpMultipartUpload(call, this.#store);
      throw errorFor(access, signed, call, error);
    });
  }

  async #attempt(operation: Operation, call: Call, signed: Signed): Promise<Reply | 'dropped'> {
    const { key, method } = call;
    const { presigned } = signed;
    const fault = await this.#options.before?.({ operation, key, method, presigned });
    if (fault) await suffer(fault, call);
    if (call.bucket !== this.#options.bucket) {
      throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: call.bucket });
    }
    const running = this.#perform(operation, call, signed);
    this.#running.add(running);
    const reply = await running.finally(() => this.#running.delete(running));
    return fault && 'dropAnswer' in fault ? 'dropped' : reply;
  }

  async #perform(operation: Operation, call: Call, signed: Signed): Promise<Reply> {
    if (this.#closed) throw new Error('the server is closed');
    // There, a checksum in the headers is that of the object, not of the list of parts.
    const checksum = operation === 'CompleteMultipartUpload' ? undefined : declaredChecksum(call);
    const body = new RequestBody(call, signed, checksum);
    if (isBodyless(call)) for await (const _ of body);
    const isWhole = operation === 'PutObject' || operation === 'CopyObject';
    const reason = isWhole ? operation : 'CompleteMultipartUpload';
    const created = (object: StoredObject) => this.#tell(object, reason);
    const { bucket, repeatsCompletions = false } = this.#options;
    const [store, now] = [this.#store, this.#now];
    return OPERATIONS[operation]({ call, signed, body, store, bucket, now, repeatsCompletions, created });
  }

  #tell({ key, size, eTag }: StoredObject, reason: ObjectCreated['reason']): void {
    this.#sequence += 1;
    const sequencer = this.#sequence.toString(16).toUpperCase().padStart(18, '0');
    setImmediate(() => this.#options.onObjectCreated?.({ reason, key, size, eTag, sequencer }));
  }
}

const isBodyless = ({ method }: Call) => method === 'GET' || method === 'HEAD' || method === 'DELETE';

async function suffer(fault: Fault, { headers }: Call): Promise<void> {
  if ('ignoreRange' in fault) delete headers.range;
  if ('delayMs' in fault) await delay(fault.delayMs);
  if ('code' in fault) throw FAULT_ERRORS[fault.code]();
}

/** Reads away what is left of a request, so that the connection can carry the next. */
async function drain(request: IncomingMessage): Promise<void> {
  if (request.readableEnded) return;
  for await (const _ of request);
}

async function send(response: ServerResponse, reply: Reply, id: string, now: Date): Promise<void> {
  const { status, body, headers } = reply;
  const text = typeof body === 'string' ? Buffer.from(body) : undefined;
  response.writeHead(status, {
    'x-amz-request-id': id,
    'x-amz-id-2': Buffer.from(id.repeat(3)).toString('base64'),
    Server: 'AmazonS3',
    Date: now.toUTCString(),
    ...(text && { 'Content-Type': 'application/xml' }),
    ...lengthOf(response, reply, text),
    ...headers,
  });
  if (body === undefined || text) {
    response.end(text);
    return;
  }
  await pipeline(Readable.from(body as AsyncIterable<Uint8Array>, { objectMode: false }), response);
}

function lengthOf({ req }: ServerResponse, { status, body }: Reply, text: Buffer | undefined) {
  if (text) return req.method === 'HEAD' ? {} : { 'Content-Length': text.length };
  return body === undefined && status === 200 && req.method !== 'HEAD' ? { 'Content-Length': 0 } : {};
}

function errorReply(error: unknown, request: IncomingMessage, id: string): Reply {
  if (request.destroyed && !request.readableEnded) throw error;
  const known = error instanceof S3Error ? error : new S3Error('InternalError', String(error));
  const { code, message, details, status } = known;
  if (code === 'NotModified') return { status, headers: { ETag: quoted(String(details['ETag'])) } };
  const [resource] = (request.url ?? '').split('?');
  return {
    status,
    body: errorDocument({
      Code: code,
      Message: message,
      ...details,
      Resource: resource,
      RequestId: id,
      HostId: id,
    }),
  };
}
