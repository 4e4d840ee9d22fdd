import type { TestImages } from '../image.ts';
import type { NamedRegistry } from '../named-registry.ts';
import type { Report } from '../report.ts';

export interface ErrandOptions {
  readonly named: NamedRegistry;
  readonly images: TestImages;
  /** To write in. */
  readonly directory: string;
  /** Where programs are, and where those go that Go makes. */
  readonly path: string;
  readonly tools: string;
  readonly report: Report;
  /** Whether today's clients are there. */
  readonly isModern: boolean;
  /** Whether what is absent has failed. */
  readonly isRequired: (name: string) => boolean;
}

/** What is tried once, with several clients or with many of one. */
export interface Errand {
  readonly name: string;
  run(options: ErrandOptions): Promise<void>;
}
