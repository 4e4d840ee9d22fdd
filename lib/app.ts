import { Annotations, App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { settingsFrom } from './settings.ts';
import { StowageStack } from './stowage-stack.ts';
import { usualStreamHost } from './usual-stream-host.ts';

/** A stream host gets the newest system with the first deployment of a month. */
const month = new Date().toISOString().slice(0, 'YYYY-MM'.length);

// What `cdk` runs. The stack names no account and no region: both come from the credentials it is deployed with.
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const region = process.env['CDK_DEFAULT_REGION'];
const settings = settingsFrom(app.node, region);
const { streamHost, remark } = usualStreamHost(region);
const props = { streamHost, ...settings, streamHostGeneration: month };
const stack = new StowageStack(app, settings.stackName ?? 'Stowage', props);
if (!settings.streamHost && remark) Annotations.of(stack).addInfoV2('stowage:no-stream-host', remark);
app.synth();
