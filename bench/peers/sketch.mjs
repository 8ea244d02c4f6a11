// The ceiling: the same path without the product (see ../sketch/src/lib.rs).

import { createRequire } from 'node:module'
import { join } from 'node:path'

const { Sketch } = createRequire(import.meta.url)('../sketch/sketch.node')

export function open({ dir, window, durability }) {
  const acks = new Acks()
  const batch = new Batch(texts => sketch.add(texts), queueMicrotask)
  const results = new Batch(texts => sketch.complete(texts), setImmediate)
  let runner
  const run = text => {
    for (const [id, data] of JSON.parse(text)) {
      runner(data).then(result => results.push([id, result]))
    }
  }
  const options = { path: join(dir, 'sketch.db'), full: durability === 'full', window }
  const sketch = Sketch.open(options, run, count => acks.upTo(count))
  return {
    add(data) {
      batch.push(data)
      return acks.next(1)
    },
    addMany(list) {
      sketch.add(JSON.stringify(list))
      return acks.next(list.length)
    },
    work(code) {
      runner = code
      sketch.start()
    },
    done: () => sketch.doneCount(),
  }
}

/** What is pushed before `later` comes travels as one text. */
class Batch {
  #send
  #later
  #list = []

  constructor(send, later) {
    this.#send = send
    this.#later = later
  }

  push(value) {
    if (this.#list.push(value) === 1) this.#later(() => this.#flush())
  }

  #flush() {
    const list = this.#list
    this.#list = []
    this.#send(JSON.stringify(list))
  }
}

/** Promises of adds, settled in order by the count of what is on disk. */
class Acks {
  #sent = 0
  #waiting = []
  #head = 0

  next(count) {
    this.#sent += count
    return new Promise(resolve => this.#waiting.push({ at: this.#sent, resolve }))
  }

  upTo(count) {
    const waiting = this.#waiting
    while (this.#head < waiting.length && waiting[this.#head].at <= count) {
      waiting[this.#head++].resolve()
    }
    if (this.#head > 10_000) {
      waiting.splice(0, this.#head)
      this.#head = 0
    }
  }
}
