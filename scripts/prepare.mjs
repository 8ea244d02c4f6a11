// npm runs this in a checkout after `npm install` and before `npm pack`, never for users of the
// package.
// Builds what is missing. Without the tools it says so and lets the install succeed.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { root, say } from './steps.mjs'

try {
  if (existsSync(join(root, 'node_modules/typescript'))) await buildDist()
  else say('typescript is not installed (--omit=dev?): dist/ stays as it is')
  await buildAddon()
} catch (error) {
  say(`not built: ${error.message}; then run \`npm run build\``)
}
