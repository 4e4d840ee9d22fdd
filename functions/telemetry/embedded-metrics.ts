import { METRICS } from './names.ts';

export interface Metric {
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds';
  readonly value: number;
}

interface Line {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Each a list of names in `fields`; the empty list is the metric over everything. */
  readonly dimensions: readonly (readonly string[])[];
  readonly metrics: readonly Metric[];
  /** What else the line says. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One line of JSON that CloudWatch Logs keeps as a log and reads metrics from (embedded metric format).
 *  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */
export function metricLine({ time, dimensions, metrics, fields }: Line): string {
  const directive = {
    Namespace: METRICS.namespace,
    Dimensions: dimensions,
    Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
  };
  return JSON.stringify({
    _aws: { Timestamp: time, CloudWatchMetrics: [directive] },
    ...fields,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  });
}
