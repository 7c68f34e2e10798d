"""The search over a recipe's ranges with Optuna: trials of training, several processes at once, one storage.

    OUT/tune.db            the study (SQLite), unless another storage is named
    OUT/trials/HASH/       a model folder for each recipe that was tried, named by its content
    OUT/recipe.toml        the best recipe
    OUT/tune.json, tune.svg    all trials, as a table and as a picture

The objective is the class-balanced accuracy on the validation split, of the checkpoint that a training would keep. The
test split is never read.
"""
