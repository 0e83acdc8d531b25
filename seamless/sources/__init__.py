"""Where bars come from outside: each source gives raw columns.\nJudges nothing: that is conformance's work."""
