import type { S3Client } from '@aws-sdk/client-s3';
import { bodyOf } from './bodies.ts';
import { type S3Input, type SimulatedBucket, s3Error } from './bucket.ts';
import type { Call, World } from './world.ts';

interface Command {
  readonly constructor: { readonly name: string };
  readonly input: S3Input;
}

type Carry = (bucket: SimulatedBucket, input: S3Input, began?: number) => unknown;

/** What S3 does of each command; writes on a condition are told when they began. */
const COMMANDS: Readonly<Record<string, Carry>> = {
  PutObjectCommand: (bucket, input, began) => bucket.put(input, began),
  CreateMultipartUploadCommand: (bucket, input) => bucket.create(input),
  UploadPartCommand: (bucket, input) => bucket.uploadPart(input),
  CompleteMultipartUploadCommand: (bucket, input, began) => bucket.complete(input, began),
  AbortMultipartUploadCommand: (bucket, input) => bucket.abort(input),
  HeadObjectCommand: (bucket, input) => bucket.head(input),
  GetObjectCommand: (bucket, input) => answerOf(bucket.get(input), input),
  DeleteObjectCommand: (bucket, input) => bucket.delete(input),
  DeleteObjectsCommand: (bucket, input) => bucket.deleteAll(input),
  ListObjectsV2Command: (bucket, input) => bucket.list(input),
};

/** The SDK's client as the registry uses it. Each request waits until the scheduler lets S3 carry it out; it may be sent
 *  twice, and the first one may come after the second. */
export function scheduledS3(world: World): S3Client {
  const send = (command: Command) => {
    const { name } = command.constructor;
    const next = (input: S3Input) => request(world, name, input);
    const { Body } = command.input;
    // What is sent is sent, whatever becomes of the buffer.
    const input = Body ? { ...command.input, Body: Buffer.from(Body) } : command.input;
    return world.plant.s3?.({ name, input, next }) ?? next(input);
  };
  return { send } as unknown as S3Client;
}

/** A client's own request to the store, past the registry. */
export function request(world: World, name: string, input: S3Input): Promise<unknown> {
  const { bucket } = world;
  const carry = COMMANDS[name];
  if (!carry) throw new Error(`S3 knows no ${name}`);
  const label = () => `${name.slice(0, -'Command'.length)} ${textOf(input)}`;
  const claim = world.stored.claim(world.clock);
  const run = async (began?: number) => {
    const answer = carry(bucket, input, began);
    if (name === 'PutObjectCommand') claim(input.Key ?? '');
    if (name === 'CreateMultipartUploadCommand') claim((answer as { UploadId: string }).UploadId);
    return answer;
  };
  const isConditional = input.IfNoneMatch !== undefined;
  return world.call({
    label,
    run,
    isRepeatable: true,
    busy: () =>
      s3Error(isConditional && world.random.chance(0.7) ? 'ConditionalRequestConflict' : 'SlowDown'),
    ...(input.Body && { inTwo: async () => rest(label, run, bucket.begin(input)) }),
  });
}

/** What came in between decides when it ends. */
const rest = (
  label: () => string,
  run: (began: number) => Promise<unknown>,
  began: number,
): Pick<Call, 'label' | 'run'> => ({ label: () => `the end of ${label()}`, run: () => run(began) });

function answerOf({ bytes, size }: ReturnType<SimulatedBucket['get']>, { Range }: S3Input): unknown {
  return {
    ContentLength: bytes.length,
    ...(Range !== undefined && { ContentRange: `${Range.replace('=', ' ')}/${size}` }),
    Body: { transformToWebStream: () => bodyOf(bytes) },
  };
}

function textOf({
  Key = '',
  Body,
  IfNoneMatch,
  PartNumber,
  UploadId,
  Delete,
  MultipartUpload,
}: S3Input): string {
  const told = [
    ...(Delete?.Objects.map((object) => object.Key) ?? [Key]),
    ...(UploadId === undefined ? [] : [`of ${UploadId}`]),
    ...(PartNumber === undefined ? [] : [`part ${PartNumber}`]),
    ...(MultipartUpload ? [`${MultipartUpload.Parts.length} parts`] : []),
    ...(Body ? [`${Body.length} bytes`] : []),
    ...(IfNoneMatch === undefined ? [] : ['if none is there']),
  ];
  return told.join(' ');
}
