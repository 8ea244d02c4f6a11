/**
 * Keys: what names a row of an outbox, and makes one task however often it is handed over.
 *
 * A key is a UUIDv7, so that the tables that hold it grow at their end. Within one process later
 * keys are greater, whatever the clock does: the queue of an outbox keeps the order of the calls.
 *
 * Proof: `__test__/contract/outbox.test.mjs`.
 */

import { randomUUID } from 'node:crypto'
import { wallMs } from './globals'

/** The 12 bits behind the time count the keys of one millisecond. */
const COUNT_MAX = 0xfff

let ms = 0
let count = 0

/** A key that no other process makes either: 62 of its bits are random. */
export function newKey(): string {
  tick()
  const time = ms.toString(16).padStart(12, '0')
  const rest = count.toString(16).padStart(3, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest}-${randomUUID().slice(19)}`
}

function tick() {
  const now = wallMs()
  if (now > ms) {
    ms = now
    count = 0
  } else if (count < COUNT_MAX) {
    count += 1
  } else {
    ms += 1
    count = 0
  }
}

/** A key as it is stored. */
export const bytesOf = (key: string): Buffer => Buffer.from(key.replaceAll('-', ''), 'hex')

/** A stored key as the engine reads it. */
export const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
