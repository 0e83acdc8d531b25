"""The section `campaign` of a policy: windows and selection, paper, canary, divergence, demotion."""
