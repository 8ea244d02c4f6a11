// The example of NestJS: its provider starts and closes the tasker, and no task is lost.

import { compileExample, start } from '../package/example.mjs'
import { address, checkServer } from '../package/server.mjs'

async function serve(t, cwd) {
  const env = { ...process.env, PORT: '0' }
  const server = start(t, 'dist/main.js', { cwd, env })
  return { ...server, url: await address(server) }
}

// When all is closed, Nest sends itself the signal again.
checkServer({ make: compileExample('nest'), serve, exit: 'SIGTERM' })
