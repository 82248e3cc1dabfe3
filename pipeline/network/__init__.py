"""The learned embedding: a `Problem` enters, a `Fitted` with the weights of a trained network leaves.

`contest` chooses among candidates, `training` trains one, and `task_module` has the optimisers and their schedule. Each
task has a network and a module that Lightning trains, in files that begin with `missing_tokens_` or `target_`. No other
package uses Lightning. Which settings are tried, and where results are stored, does not belong here.
"""
