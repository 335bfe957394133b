/** An item by its id in the data set (text) or its place in the model (whole number). */
export type Item = string | number;
/** A query by its text or its number; 0: none. A text that was never asked is encoded where the model reads words. */
export type Query = string | number;
export interface Pair {
  item: Item;
  query?: Query;
  /** Used in place of `query`: [width], of Model.encode. */
  queryVector?: ArrayLike<number> | null;
}
export interface UserOptions {
  /** Behaviours that are kept (default: as exported). */
  history?: number;
  /** Behaviours that are retrieved for a candidate (default: as exported). */
  k?: number;
  /** Retrieve by product-quantization codes. */
  codes?: boolean;
  /** Channel weights from 0 to 1 in place of the model's, query first. */
  weights?: ArrayLike<number>;
}
export interface Answer {
  /** Higher is better; they order candidates and are not probabilities. */
  scores: number[];
  /** With `explain`, per candidate: positions of the retrieved behaviours, 0 the oldest, best first. */
  retrieved?: number[][];
  /** With `explain`, per candidate and head: what each of them was given. */
  attention?: number[][][];
}
export interface TopOptions {
  query?: Query;
  /** Only these items. */
  allow?: Iterable<Item>;
  /** Not these items. */
  deny?: Iterable<Item>;
  /** Also items of the user's history. */
  withSeen?: boolean;
}
export class Seminar {
  /** From the bytes of seminar.wasm. */
  static load(bytes: BufferSource): Promise<Seminar>;
  readonly version: string;
  /** A model from the bytes of a file of `seminar export`; they are copied. */
  open(bytes: ArrayBuffer | ArrayBufferView): Model;
}
export interface Model {
  readonly items: number;
  readonly queries: number;
  readonly channels: number;
  readonly width: number;
  readonly heads: number;
  readonly history: number;
  readonly k: number;
  readonly hasCodes: number;
  readonly readsTexts: number;
  weights(): number[];
  item(name: string): number;
  has(name: string): boolean;
  query(text: string): number;
  encode(text: string): Float32Array;
  describe(item: number): {name: string; title: string};
  queryText(query: number): string;
  user(options?: UserOptions): User;
  /** Users go on; the memory stays until the last of them is closed. */
  close(): void;
}
export interface User {
  append(behaviour: Pair): void;
  clear(): void;
  rank(candidates: Iterable<Pair>, options?: {explain?: boolean}): Answer;
  /** The best n items of the whole catalogue, best first. */
  top(n: number, options?: TopOptions): {items: string[]; scores: number[]};
  close(): void;
}
