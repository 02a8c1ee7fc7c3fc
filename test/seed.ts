// Property tests draw the same cases in every run; FC_SEED=N draws others.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20190424) });
