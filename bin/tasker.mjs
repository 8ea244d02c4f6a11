#!/usr/bin/env node
// `npx tasker build-native`: makes the addon where the package brought none that fits.

import { buildNative } from '../scripts/native.mjs'
import { say } from '../scripts/steps.mjs'

const usage = `Usage: tasker build-native

  build-native   compiles the native addon for this platform from the sources in the package;
                 takes Rust, a C compiler, a network and a few minutes
`

const [command, ...rest] = process.argv.slice(2)
if (command === 'build-native' && rest.length === 0) {
  await buildNative().catch(error => {
    say(error.message)
    process.exitCode = 1
  })
} else if (command === '--help') {
  process.stdout.write(usage)
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}
