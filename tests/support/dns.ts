/** Builds DNS messages for tests: names in full or as pointers to the question. */

export interface TestRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlS?: number;
  readonly data: Uint8Array | readonly number[];
  readonly class?: number;
}

/** A name as labels. */
export function nameBytes(name: string): number[] {
  const labels = name === "" ? [] : name.split(".");
  return [...labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]), 0];
}

export function query(name: string, type: number, id = 0x1234): Uint8Array {
  return Uint8Array.from([...u16(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...nameBytes(name), ...u16(type), 0, 1]);
}

/** The answer to `query(name, type, id)`. */
export function response(name: string, type: number, records: readonly TestRecord[], id = 0x1234): Uint8Array {
  const question = [...nameBytes(name), ...u16(type), 0, 1];
  const answers = records.flatMap((record) => [
    ...(record.name === name ? [0xc0, 12] : nameBytes(record.name)),
    ...u16(record.type),
    ...u16(record.class ?? 1),
    ...u16((record.ttlS ?? 60) >>> 16),
    ...u16((record.ttlS ?? 60) & 0xffff),
    ...u16(record.data.length),
    ...record.data,
  ]);
  return Uint8Array.from([...u16(id), 0x81, 0x80, 0, 1, ...u16(records.length), 0, 0, 0, 0, ...question, ...answers]);
}

export function u16(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}
