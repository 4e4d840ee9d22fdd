import type { AttributeValue } from '../table.ts';
import { checkName, type StoredItem, toStored } from './attributes.ts';

/** What an expression's placeholders stand for. DynamoDB refuses empty maps, and placeholders that are not used. */
export interface Placeholders {
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: StoredItem;
}

/** Hands out placeholders for one request's expressions: a name may be a reserved word or hold any character. */
export class Expression {
  readonly #names = new Map<string, string>();
  readonly #values: StoredItem = {};
  #count = 0;

  name(attribute: string): string {
    checkName(attribute);
    const placeholder = this.#names.get(attribute) ?? `#n${this.#names.size}`;
    this.#names.set(attribute, placeholder);
    return placeholder;
  }

  value(value: AttributeValue): string {
    return this.#hold(toStored(value));
  }

  /** A set, which is no value that an attribute is given otherwise. */
  texts(texts: readonly string[]): string {
    return this.#hold({ SS: [...texts] });
  }

  #hold(value: StoredItem[string]): string {
    const placeholder = `:v${this.#count}`;
    this.#count += 1;
    this.#values[placeholder] = value;
    return placeholder;
  }

  get placeholders(): Placeholders {
    const names = [...this.#names].map(([attribute, placeholder]) => [placeholder, attribute] as const);
    return {
      ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
      ...(this.#count > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}
