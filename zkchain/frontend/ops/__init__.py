"""One module per family of operators; each exports RULES, operator name -> rule, which the operator table joins."""
