// npm runs this in a checkout after `npm install` and before `npm pack`, and in its clone of a git
// dependency; never for users of the published package.
// Builds what is missing. Without the tools it says so and lets the install succeed.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { root, say } from './steps.mjs'

async function prepare() {
  if (existsSync(join(root, 'node_modules/typescript'))) await buildDist()
  else say('typescript is not installed (--omit=dev?): dist/ stays as it is')
  await buildAddon()
}

// npm prepares a git dependency twice: first while it installs the packages of the clone, where
// nothing can be seen, then again, where `--foreground-scripts` shows it. Minutes belong to the
// second.
if (process.env._PACOTE_NO_PREPARE_) say('nothing is built yet: npm prepares this clone again')
else {
  await prepare().catch(error => {
    const next = '`npm run build`, or `npx tasker build-native` where tasker is installed'
    say(`not built: ${error.message}; then run ${next}`)
  })
}
