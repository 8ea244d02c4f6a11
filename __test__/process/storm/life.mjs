// One life of the storm, seen from outside: a process that is killed, and what it had told by then.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** Starts a life; `busy` and `over` resolve when it is. */
export function begin(options) {
  const child = spawn(process.execPath, [worker, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const busy = new Promise(resolve => {
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text
      if (output.includes('["busy"]\n')) resolve()
    })
  })
  const over = new Promise(resolve => {
    child.on('close', (_, signal) => resolve({ output, signal }))
  })
  return { child, busy, over }
}
