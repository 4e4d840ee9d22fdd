import { manifestUnits, type OperationName, type Units, unitsOf } from './measured.ts';

// What clients send for one pull and for one push, as they were traced: docker 20.10 to 29, containerd, BuildKit,
// podman, skopeo, crane, oras and regctl agree in nearly all of it. Where they do not, it is containerd's way, which
// docker 29 and BuildKit go. What an operation asks of AWS was measured; see docs/aws-calls.md.

/** Which way a request goes, and so what it passes. */
export type Lane =
  /** Answered by the function at the edge. */
  | 'edge'
  /** CloudFront, HTTP API, Lambda. */
  | 'api'
  /** The same, but its path needs no key at the edge. */
  | 'token'
  /** A body that CloudFront takes to S3. */
  | 's3 upload'
  /** A body that its client takes to S3. */
  | 's3 alone'
  /** S3's event, and the run of the function that it starts. */
  | 'event'
  /** A part of another request. */
  | 'within'
  /** Bytes of a layer that S3 sends, or CloudFront. */
  | 'download';

/** So many requests of one kind, for one pull or push. */
export interface Step {
  readonly lane: Lane;
  readonly times: number;
  /** Absent where it asks nothing of table and bucket. */
  readonly units?: Units;
  /** An error, which the edge function that sees answers does not see. */
  readonly refused?: true;
  /** MiB that go through the gateway. */
  readonly body?: number;
}

/** An image as a workload has it. */
export interface ImageShape {
  readonly layers: number;
  /** Layers of a push that the registry does not have yet. */
  readonly newLayers: number;
  /** MiB of each. */
  readonly layerMb: number;
  /** Whether what is pulled is an index of several platforms. */
  readonly index?: boolean;
}

/** functions/limits.ts, MAX_INLINE_BYTES: what is no larger goes through the API, whole. */
const INLINE_MB = 4;

const call = (
  operation: OperationName,
  times = 1,
  more: Partial<Pick<Step, 'refused' | 'body' | 'lane'>> = {},
): Step => ({ lane: 'api', times, units: unitsOf(operation), ...more });

/** Every client asks without a token first, is told where to get one, and gets it. */
const login: readonly Step[] = [
  { lane: 'edge', times: 1, refused: true },
  call('token, robot', 1, { lane: 'token' }),
];

/** One pull by a client that has none of the image: HEAD by tag, GET by digest (of an index, then of the image that it
 *  lists for the platform), the config, and each layer, which is a redirect. A HEAD of a blob is sent by none of them. */
export const pullSteps = ({ layers, index }: ImageShape): readonly Step[] => [
  ...login,
  call('HEAD manifest by tag'),
  call('GET manifest by digest', index ? 2 : 1),
  call('GET blob of at most 64 KiB'),
  call('GET blob', layers),
  { lane: 'download', times: layers },
];

/** Who sends what is pushed: a client as they were traced, or `stowage push` or `stowage proxy`, from which S3 takes layers itself. */
export type Pusher = 'docker' | 'stowage';

/** What goes to S3 itself passes no CloudFront. */
export const passesCloudFront = ({ layerMb }: ImageShape, pusher: Pusher) =>
  pusher === 'docker' || layerMb <= INLINE_MB;

/** One push by a robot of an image that was pushed before and has changed: HEAD of the manifest and of each blob, POST
 *  and PUT for those that are missing, the config among them, then the manifest under its tag. `stowage push` asks for `/v2/` in the place of the
 *  manifest, and has S3 take each layer by a POST that announces it. */
export function pushSteps(image: ImageShape, pusher: Pusher): readonly Step[] {
  const { layers, newLayers, layerMb } = image;
  const missing = newLayers + 1;
  const isStowage = pusher === 'stowage';
  const isInline = layerMb <= INLINE_MB;
  return [
    ...login,
    isStowage ? { lane: 'api', times: 1 } : call('HEAD manifest by digest', 1, { refused: true }),
    call('HEAD blob, behind a front door', layers - newLayers),
    call('HEAD blob that is missing, behind a front door', missing, { refused: true }),
    call(isStowage ? 'POST upload of a blob that is announced' : 'POST upload', missing),
    call('PUT upload, with the whole blob'), // the config
    ...(isInline
      ? [call('PUT upload, with the whole blob', newLayers, { body: layerMb })]
      : directUploads(newLayers, isStowage ? 's3 alone' : 's3 upload')),
    { lane: 'api', times: 1, units: manifestUnits(layers) },
    call('entry of the audit trail', 1, { lane: 'within' }),
  ];
}

const directUploads = (times: number, lane: Lane): readonly Step[] => [
  { lane, times, units: { reads: 0, writes: 0, puts: 1, gets: 0 } },
  call('commit of an upload that S3 has told of', times, { lane: 'event' }),
];
