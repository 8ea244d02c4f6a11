// A process beside the test: opens a tasker and does what it is told, the text of a function at a
// time. `here` is what those functions get.

import { runInThisContext } from 'node:vm'
import { Tasker } from '../../../index.mjs'

const say = (...said) => process.send({ said })

/** What another process can be told of an error. */
function shapeOf(error) {
  const { name, message, code, cause, pid, path } = Object(error)
  return { name, message, code, path, pid, cause: typeof cause === 'string' ? cause : undefined }
}

/** Live runs of `hold`, by uuid. */
const held = new Map()

const runners = {
  echo: ({ data }) => ({ pid: process.pid, data }),
  throwing: () => {
    throw Object.assign(new RangeError('out of paper'), { code: 'E_PAPER' })
  },
  /** Says that it runs, and never ends. */
  last: ({ uuid }) => {
    say('run', uuid)
    return new Promise(() => {})
  },
  /** Says that it runs, and when its signal fires, and waits to be let go. */
  hold: ({ uuid, abortSignal, attempt }) =>
    new Promise((resolve, reject) => {
      held.set(uuid, { resolve, reject })
      abortSignal.addEventListener('abort', () => say('signal', uuid, shapeOf(abortSignal.reason)))
      say('run', uuid, attempt)
    }),
}

/** What runs may wait for until the test lets them all go. */
const letGo = {}
letGo.promise = new Promise(resolve => {
  letGo.resolve = resolve
})

const here = { tasker: undefined, held, letGo, runners, say, shapeOf, Tasker }

async function carryOut({ no, text, given }) {
  try {
    process.send({ no, value: await runInThisContext(`(${text})`)(here, given) })
  } catch (error) {
    process.send({ no, error: shapeOf(error) })
  }
}

process.on('message', carryOut)
process.on('warning', warning => say('warning', warning.code ?? warning.message))
